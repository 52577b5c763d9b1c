//! A76 to A84: issuer, version and tenant are one statement and must agree.

use serde_json::json;

use crate::kit::{CONSUMERS, Kit, OTHER_TENANT, TENANT, V1_TEMPLATE, V2_TEMPLATE, issuer};
use crate::{Family, bases, is_v1};

const MISMATCH: &str = "issuer_mismatch";

pub(crate) fn families() -> Vec<Family> {
    let mut families = vec![spelled(), parts(), types(), aliases(), clouds(), versions(), tenants()];
    families.extend([foreign(), crafted()]);
    families
}

fn template(kit: &Kit) -> &'static str {
    if is_v1(kit) { V1_TEMPLATE } else { V2_TEMPLATE }
}

/// Host and genuine issuer.
fn own(kit: &Kit) -> (&'static str, String) {
    let host = if is_v1(kit) { "sts.windows.net" } else { "login.microsoftonline.com" };
    (host, issuer(template(kit), TENANT))
}

fn spelled() -> Family {
    let mut family = Family::new(76, "iss spelled otherwise", 72, &[MISMATCH]);
    for kit in bases() {
        let (host, genuine) = own(&kit);
        let at = |replacement: &str| genuine.replacen(host, replacement, 1);
        let mut spellings = vec![
            format!("{genuine}/"),
            format!("{genuine}."),
            format!("{genuine}?x=1"),
            format!("{genuine}#x"),
            format!("{genuine}\0"),
            format!("{genuine} "),
            format!(" {genuine}"),
            format!("\u{feff}{genuine}"),
            genuine.replacen("https", "http", 1),
            genuine.replacen("https", "HTTPS", 1),
            genuine.replace(TENANT, &TENANT.to_uppercase()),
            genuine.replace(TENANT, &TENANT.replace('-', "%2d")),
        ];
        spellings.push(at(&host.to_uppercase()));
        spellings.extend([":443", ".", "/", "/."].map(|behind| at(&format!("{host}{behind}"))));
        spellings.push(at(&format!("user@{host}")));
        family.claims(&kit, "iss", spellings);
    }
    family
}

fn parts() -> Family {
    let mut family = Family::new(77, "iss part of the genuine one, or more", 44, &[MISMATCH]);
    for kit in bases() {
        let (host, genuine) = own(&kit);
        let values = [
            String::new(),
            format!("https://{host}"),
            format!("https://{host}/"),
            genuine[..genuine.len() - 1].to_owned(),
            genuine[1..].to_owned(),
            genuine.replace(TENANT, &TENANT[..35]),
            format!("{genuine}.attacker.example"),
            format!("https://attacker.example/{genuine}"),
            genuine.replacen(host, &format!("{host}.attacker.example"), 1),
            format!("{genuine} {genuine}"),
            format!("{genuine},{genuine}"),
        ];
        family.claims(&kit, "iss", values);
    }
    family
}

fn types() -> Family {
    let mut family = Family::new(78, "iss missing or of another type", 36, &["claim_missing", "claim_type"]);
    for kit in bases() {
        let (_, genuine) = own(&kit);
        let list = json!([genuine, "https://attacker.example"]);
        let values = [json!([genuine]), list, json!([]), json!({ "iss": genuine }), json!(null), json!(1), json!(true)];
        family.claims(&kit, "iss", values);
        family.claims(&kit, "iss", [json!([[genuine]])]);
        family.push(kit.without("iss"));
    }
    family
}

fn aliases() -> Family {
    let mut family = Family::new(79, "iss with an alias for the tenant", 64, &[MISMATCH]);
    for kit in bases() {
        for template in [V1_TEMPLATE, V2_TEMPLATE] {
            let aliases = ["{tenantid}", "{tenant}", "common", "organizations", "consumers", "contoso.com", "*", ""];
            family.claims(&kit, "iss", aliases.map(|alias| issuer(template, alias)));
        }
    }
    family
}

fn clouds() -> Family {
    let mut family = Family::new(80, "iss of another cloud or service", 40, &[MISMATCH]);
    for kit in bases() {
        let places = [
            format!("https://login.microsoftonline.us/{TENANT}/v2.0"),
            format!("https://login.partner.microsoftonline.cn/{TENANT}/v2.0"),
            format!("https://sts.chinacloudapi.cn/{TENANT}/"),
            format!("https://sts.microsoftonline.us/{TENANT}/"),
            format!("https://contoso.b2clogin.com/{TENANT}/v2.0/"),
            format!("https://contoso.ciamlogin.com/{TENANT}/v2.0"),
            format!("https://{TENANT}.ciamlogin.com/{TENANT}/v2.0"),
            format!("https://sts.windows.net/{TENANT}/v2.0"),
            format!("https://login.windows.net/{TENANT}/v2.0"),
            "https://accounts.google.com".to_owned(),
        ];
        family.claims(&kit, "iss", places);
    }
    family
}

fn versions() -> Family {
    let codes = &[MISMATCH, "version_unknown", "claim_type", "claim_missing", "version_not_allowed"];
    let mut family = Family::new(81, "issuer and version that do not agree", 76, codes);
    for kit in bases() {
        let (other, template, own) =
            if is_v1(&kit) { ("2.0", V2_TEMPLATE, "1.0") } else { ("1.0", V1_TEMPLATE, "2.0") };
        family.claims(&kit, "iss", [issuer(template, TENANT)]);
        family.claims(&kit, "ver", [other, "", "1", "2", "2.00", "02.0", "3.0", "v2.0", "2.0 ", "１.0"]);
        family.claims(&kit, "ver", [json!(2), json!(2.0), json!(null), json!([own]), json!(1)]);
        family.push(kit.clone().policy("versions", json!([other])));
        family.push(kit.clone().policy("issuers", json!([template])));
        family.push(kit.without("ver"));
    }
    family
}

fn tenants() -> Family {
    let codes = &["tenant_not_allowed", MISMATCH, "tenant_malformed", "claim_type", "claim_missing"];
    let mut family = Family::new(82, "tid that differs from iss, or is no GUID", 68, codes);
    let both = json!([TENANT, OTHER_TENANT]);
    for kit in bases() {
        family.claims(&kit, "tid", [OTHER_TENANT]);
        family.push(kit.clone().claim("tid", OTHER_TENANT).policy("tenants", both.clone()));
        let texts = [
            String::new(),
            "common".to_owned(),
            "contoso.onmicrosoft.com".to_owned(),
            TENANT.replace('-', ""),
            TENANT.to_uppercase(),
            format!("{{{TENANT}}}"),
            format!("urn:uuid:{TENANT}"),
            format!("{TENANT} "),
            TENANT[..35].to_owned(),
            TENANT.replacen('6', "６", 1),
        ];
        family.claims(&kit, "tid", texts);
        family.claims(&kit, "tid", [json!(null), json!(1), json!([TENANT]), json!({})]);
        family.push(kit.without("tid"));
    }
    family
}

/// A token that is sound in itself, of a tenant that nobody asked for.
fn foreign() -> Family {
    let codes = &["tenant_not_allowed", MISMATCH];
    let mut family = Family::new(83, "a sound token of another tenant", 24, codes);
    for kit in bases() {
        for tenant in [OTHER_TENANT, CONSUMERS, "00000000-0000-0000-0000-000000000000"] {
            let moved = kit.clone().claim("tid", tenant).claim("iss", issuer(template(&kit), tenant));
            family.push(moved);
        }
        let none = kit.clone().policy("tenants", json!([]));
        family.push(none);
        // Personal accounts are never meant by any tenant, and exact issuers bind any of them.
        let any = kit.policy("tenants", json!([])).policy("any_tenant", true);
        let personal = any.clone().claim("tid", CONSUMERS).claim("iss", issuer(template(&any), CONSUMERS));
        family.push(personal);
        let moved = any.clone().claim("tid", OTHER_TENANT).claim("iss", issuer(template(&any), OTHER_TENANT));
        family.push(moved.policy("issuers", json!([issuer(template(&any), TENANT)])));
    }
    family
}

fn crafted() -> Family {
    let mut family = Family::new(84, "a tid that writes its own issuer", 32, &["tenant_malformed"]);
    for base in bases() {
        let kit = base.policy("any_tenant", true);
        for tenant in [
            "common",
            "{tenantid}",
            "contoso.onmicrosoft.com",
            "..",
            "",
            &format!("{TENANT}/v2.0?x="),
            &format!("{OTHER_TENANT}/../{TENANT}"),
            &TENANT.to_uppercase(),
        ] {
            let crafted = kit.clone().claim("tid", tenant).claim("iss", issuer(template(&kit), tenant));
            family.push(crafted);
        }
    }
    family
}
