//! What a strict reader must accept: what RFC 7519 and Entra leave free.

use countersign_token::Algorithm;
use serde_json::{Map, Value, json};

use crate::kit::{
    API, API_URI, CLIENT, GENUINE_KID, Kit, NEXT_KID, OTHER_CLIENT, OTHER_TENANT, SKEW, TENANT, V1_TEMPLATE,
    V2_TEMPLATE, genuine, issuer, jwk, next, with, without,
};
use crate::{apps, bases, caller, users};

/// The tokens that are in their last second now, and no longer when another library looks at them.
pub(crate) const LIKELY_EXPIRED_MEANWHILE: usize = 4;

type Tokens = Vec<(Kit, String)>;

pub(crate) fn families() -> Vec<(&'static str, Tokens)> {
    vec![
        ("both audiences", kits(|kit| [API, API_URI].map(|aud| kit.clone().claim("aud", aud)).to_vec())),
        (
            "an audience in an array",
            kits(|kit| [API, API_URI].map(|aud| kit.clone().claim("aud", json!([aud]))).to_vec()),
        ),
        ("claims in another order", texts(orders)),
        ("a header in another order", header_orders()),
        ("more claims", kits(more_claims)),
        ("escapes", texts(escapes)),
        ("white space", white_space()),
        ("other headers", kits(headers)),
        ("edges of time", kits(times)),
        ("PS256 where it is allowed", kits(pss)),
        ("the next key", kits(|kit| vec![named_next(kit)])),
        ("several roles or scopes", grants()),
        ("idtyp, and the caller twice", kits(spoken_twice)),
        ("other policies", kits(policies)),
        ("other ways to publish the key", kits(keys)),
        ("as large as may be", texts(extents)),
    ]
}

/// What `make` makes of each base.
fn kits(make: impl Fn(&Kit) -> Vec<Kit>) -> Tokens {
    bases().iter().flat_map(make).map(|kit| (kit.clone(), kit.token())).collect()
}

/// The texts that `make` makes of each base's claims, signed.
fn texts(make: impl Fn(&Kit) -> Vec<String>) -> Tokens {
    let signed = |kit: &Kit, payload: String| (kit.clone(), kit.token_of(kit.header.to_string(), payload));
    bases().iter().flat_map(|kit| make(kit).into_iter().map(|text| signed(kit, text)).collect::<Vec<_>>()).collect()
}

/// The members of an object as texts, in alphabetical order.
fn members(object: &Value) -> Vec<String> {
    object.as_object().unwrap().iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect()
}

fn object(members: &[String]) -> String {
    format!("{{{}}}", members.join(","))
}

fn orders(kit: &Kit) -> Vec<String> {
    let mut members = members(&kit.claims);
    let rotated = [1, 3, 5, 7].map(|places| {
        let mut members = members.clone();
        members.rotate_left(places);
        object(&members)
    });
    members.reverse();
    rotated.into_iter().chain([object(&members)]).collect()
}

fn header_orders() -> Tokens {
    let mut tokens = Vec::new();
    for kit in bases() {
        let mut members = members(&kit.header);
        for _ in 1..members.len() {
            members.rotate_left(1);
            tokens.push((kit.clone(), kit.token_of(object(&members), kit.claims.to_string())));
        }
    }
    tokens
}

fn more_claims(kit: &Kit) -> Vec<Kit> {
    let more = [
        ("name", json!("Åda 日本 🦀")),
        ("xms_st", json!({"sub": "x", "aud": {"aud": [null, true]}})),
        ("wids", json!(["b79fbf4d-3ef9-4689-8143-76b194e85509"])),
        ("number", json!(18_446_744_073_709_551_615_u64)),
        ("fraction", json!(-1.5e-7)),
        ("nothing", json!(null)),
        ("", json!("")),
        ("AUD", json!("api://other")),
        ("Exp", json!(0)),
        ("Nonce", json!("n")),
        ("jti", json!("x")),
        ("iss ", json!("https://attacker.example")),
        ("crit", json!(["exp"])),
        ("alg", json!("none")),
    ];
    more.into_iter().map(|(name, value)| kit.clone().claim(name, value)).collect()
}

fn escapes(kit: &Kit) -> Vec<String> {
    let text = kit.claims.to_string();
    let whole = |text: &str| {
        let units = text.chars().map(|letter| format!("\\u{:04X}", u32::from(letter)));
        format!("\"{}\"", units.collect::<String>())
    };
    let audience = json!(kit.claims["aud"]).to_string();
    vec![
        text.replace('a', "\\u0061").replace('e', "\\u0065"),
        text.replace('/', "\\/"),
        text.replace('-', "\\u002D").replace('.', "\\u002e"),
        text.replace(&audience, &whole(kit.claims["aud"].as_str().unwrap())),
        text.replace("\"exp\"", &whole("exp")).replace("\"tid\"", &whole("tid")),
    ]
}

fn white_space() -> Tokens {
    let mut tokens = Vec::new();
    for kit in bases() {
        let (header, claims) = (kit.header.to_string(), kit.claims.to_string());
        let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap();
        for (header, claims) in [
            (header.clone(), format!("\t{claims}\r\n ")),
            (format!(" {header}\n"), claims.clone()),
            (pretty(&kit.header), pretty(&kit.claims)),
            (header.clone(), claims.replace(':', " : ").replace("https : ", "https:").replace("api : ", "api:")),
        ] {
            tokens.push((kit.clone(), kit.token_of(header, claims)));
        }
    }
    tokens
}

fn headers(kit: &Kit) -> Vec<Kit> {
    let mut bare = kit.clone().without_header("typ");
    bare.header.as_object_mut().unwrap().remove("x5t");
    vec![
        bare.clone(),
        bare.header("x5t", GENUINE_KID),
        kit.clone().header("x5t#S256", "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"),
        kit.clone().header("x", json!({"y": [1, null, "z"]})),
        kit.clone().header("ALG", "none").header("Kid", "other"),
        kit.clone().header("exp", 0),
    ]
}

fn times(kit: &Kit) -> Vec<Kit> {
    let now = kit.now;
    let with = |name: &str, value: i64| kit.clone().claim(name, value);
    vec![
        with("exp", now - SKEW + 1),
        with("exp", now + 86_400),
        with("exp", 253_402_300_799),
        with("nbf", now),
        with("nbf", now + SKEW),
        with("nbf", 0),
        with("iat", now),
        with("iat", now + SKEW),
        with("iat", 0),
        kit.clone().without("nbf"),
        kit.clone().without("iat"),
        kit.clone().without("nbf").without("iat"),
    ]
}

fn pss(kit: &Kit) -> Vec<Kit> {
    let both = kit.clone().policy("algorithms", json!(["RS256", "PS256"]));
    let pss = both.clone().header("alg", "PS256").signed_with(Algorithm::Ps256);
    vec![pss.clone().policy("algorithms", json!(["PS256"])), pss, both]
}

fn named_next(kit: &Kit) -> Kit {
    let mut kit = kit.clone().header("kid", NEXT_KID).signed_by(next());
    if let Some(thumbprint) = kit.header.get_mut("x5t") {
        *thumbprint = NEXT_KID.into();
    }
    kit
}

fn grants() -> Tokens {
    let mut kits = Vec::new();
    for kit in apps() {
        let many: Vec<_> = (0..40).map(|number| format!("Role.{number}")).chain(["Resource.Read".to_owned()]).collect();
        let twice = json!(["Resource.Read", "Resource.Read"]);
        for roles in [json!(many), json!(["Größe", "Resource.Read"]), json!(["", "Resource.Read"]), twice] {
            kits.push(kit.clone().claim("roles", roles));
        }
    }
    for kit in users() {
        for scopes in ["  openid   access_as_user ", "access_as_user größe", "profile access_as_user"] {
            kits.push(kit.clone().claim("scp", scopes));
        }
        kits.push(kit.claim("roles", json!(["Resource.Write"])));
    }
    kits.into_iter().map(|kit| (kit.clone(), kit.token())).collect()
}

fn spoken_twice(kit: &Kit) -> Vec<Kit> {
    let kind = if kit.claims.get("scp").is_some() { "user" } else { "app" };
    let twin = if caller(kit) == "azp" { "appid" } else { "azp" };
    vec![kit.clone().claim("idtyp", kind), kit.clone().claim(twin, CLIENT)]
}

fn policies(kit: &Kit) -> Vec<Kit> {
    let kind = if kit.claims.get("scp").is_some() { "user" } else { "app" };
    let exact = json!([issuer(V2_TEMPLATE, TENANT), issuer(V1_TEMPLATE, TENANT)]);
    vec![
        kit.clone().policy("issuers", exact),
        kit.clone().policy("tenants", json!([OTHER_TENANT, TENANT])),
        kit.clone().policy("tenants", json!([])).policy("any_tenant", true),
        kit.clone().policy("clients", json!([OTHER_CLIENT, CLIENT.to_uppercase()])),
        kit.clone().policy("kinds", json!([kind])),
        kit.clone().policy("versions", json!([kit.claims["ver"]])),
        kit.clone().policy("clock_skew_seconds", 0),
    ]
}

fn keys(kit: &Kit) -> Vec<Kit> {
    let key = jwk(genuine());
    let keys = [
        without(key.clone(), "issuer"),
        without(key.clone(), "cloud_instance_name"),
        without(key.clone(), "x5t"),
        without(key.clone(), "use"),
        with(key.clone(), "issuer", issuer(V2_TEMPLATE, TENANT)),
        with(key.clone(), "alg", "RS256"),
        with(key, "key_ops", json!(["verify"])),
    ];
    keys.into_iter().map(|key| kit.clone().keys([jwk(next()), key])).collect()
}

/// Two hundred claims, twelve kilobytes, a hundred levels.
fn extents(kit: &Kit) -> Vec<String> {
    let known = kit.claims.as_object().map_or(0, Map::len);
    let many: String = (known..200).map(|number| format!("\"x{number}\":0,")).collect();
    vec![
        format!("{{{many}{}", &kit.claims.to_string()[1..]),
        kit.payload_and(&format!("\"x\":\"{}\"", "x".repeat(10_000))),
        kit.payload_and(&format!("\"x\":{}{}", "[".repeat(100), "]".repeat(100))),
        kit.payload_and(&format!("\"x\":{}1{}", "{\"a\":".repeat(100), "}".repeat(100))),
    ]
}
