//! The step in which the signing key changes under everybody's feet.

use countersign_protocol::EndpointVersion;
use http::Method;

use crate::decode;
use crate::demo::cast::RESOURCE;
use crate::demo::error::DemoError;
use crate::demo::step::{Detail, Scene};
use crate::demo::wire::Field;
use crate::demo::world::World;

/// Unknown keys are asked for at most once in 30 s; the clocks are moved past that instead of waiting.
const PAST_THE_COOLDOWN: i64 = 31;

pub(super) async fn play(world: &mut World) -> Result<Scene, DemoError> {
    let before = world.authority.signing_key_id().await?;
    // The first roll brings up the key that was published ahead, as in a planned rollover, and publishes another one; the
    // second brings up that one, which the API cannot have seen.
    world.authority.roll_signing_key().await?;
    let after = world.authority.roll_signing_key().await?;
    world.clock.advance_seconds(PAST_THE_COOLDOWN);

    let daemon = world.daemon(world.cast.contoso);
    let token = world.acquire(daemon, RESOURCE, EndpointVersion::V2).await?;
    let signed_with = decode::decode(token.secret())?.header.get("kid").and_then(|kid| kid.as_str().map(str::to_owned));
    let known_before = world.api.keys.current().is_some_and(|keys| keys.find(&after).is_some());
    let response = world.call(Method::GET, Some(token.authorization().clone())).await?;

    let is_new = before != after && signed_with.as_deref() == Some(after.as_str());
    let which = match (is_new, known_before) {
        (true, false) => "unknown key",
        (true, true) => "known key",
        (false, _) => "old key",
    };
    let got = format!("{which}, API {}", response.status().as_u16());
    let fields = vec![
        Field::new("signed before", before),
        Field::new("signs now", after),
        Field::new("the token's kid", signed_with.unwrap_or_default()),
    ];
    Ok(Scene::new(got).with(Detail::Fields("Keys", fields)))
}
