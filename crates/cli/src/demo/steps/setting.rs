//! The setting: the authority, and what is registered in it.

use countersign_protocol::{EndpointVersion, Metadata};
use serde_json::Value;

use crate::demo::error::DemoError;
use crate::demo::step::{Detail, Scene};
use crate::demo::wire::Field;
use crate::demo::world::World;

pub(super) async fn authority(world: &mut World) -> Result<Scene, DemoError> {
    let host = world.authority.host();
    let tenant = world.cast.contoso;
    let response = world.fetch(&host.metadata_url(tenant, EndpointVersion::V2)).await?;
    let issuer = Metadata::from_json(response.body()).map(|metadata| metadata.issuer).unwrap_or_default();
    let whose = if issuer == host.issuer_v2(tenant) { "right issuer" } else { "another issuer" };
    let fields = vec![
        Field::new("authority", host.origin()),
        Field::new("tenant", format!("Contoso, {tenant}")),
        Field::new("certificate", "from a local CA, made a moment ago and trusted by nobody but this demo"),
    ];
    let mut scene = Scene::new(format!("{}, {whose}", response.status().as_u16()));
    scene.exchanges = world.wire.take();
    for exchange in &mut scene.exchanges {
        shorten(&mut exchange.received);
    }
    Ok(scene.with(Detail::Fields("Running now", fields)))
}

/// Of the metadata's two dozen members the three that this story needs.
fn shorten(members: &mut Vec<Field>) {
    let all = members.len();
    members.retain(|member| matches!(member.name.as_str(), "issuer" | "token_endpoint" | "jwks_uri"));
    let left_out = all - members.len();
    members.push(Field::new("…", format!("and {left_out} more members")));
}

pub(super) async fn registrations(world: &mut World) -> Result<Scene, DemoError> {
    let cast = &world.cast;
    let registrations = cast.registrations([cast.resource_app, cast.client_app]);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut fields = Vec::new();
    let mut roles = 0;
    for registration in &registrations {
        fields.push(Field::new(
            text(&registration["displayName"]),
            format!("client id {}", text(&registration["appId"])),
        ));
        for uri in registration["identifierUris"].as_array().into_iter().flatten() {
            fields.push(Field::new("  App ID URI", text(uri)));
        }
        for role in registration["appRoles"].as_array().into_iter().flatten() {
            roles += 1;
            fields.push(Field::new("  app role", format!("{} ({})", text(&role["value"]), text(&role["displayName"]))));
        }
        for secret in registration["passwordCredentials"].as_array().into_iter().flatten() {
            let note = "a client secret; the authority keeps a keyed hash of it";
            fields.push(Field::new("  credential", format!("{:?}: {note}", text(&secret["displayName"]))));
        }
        for _ in registration["keyCredentials"].as_array().into_iter().flatten() {
            let thumbprint = cast.certificate.thumbprint_hex();
            fields.push(Field::new("  credential", format!("a certificate, thumbprint {thumbprint}")));
        }
    }
    let granted: Vec<String> = cast.grants().iter().map(|grant| text(&grant["role"])).collect();
    fields.push(Field::new("granted", format!("DemoClientApp holds {} at DemoResourceApp", granted.join(", "))));
    let got = format!("{roles} roles, {} granted", granted.len());
    Ok(Scene::new(got).with(Detail::Fields("In the directory", fields)))
}
