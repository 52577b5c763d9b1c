//! A76 to A84: issuer, version and tenant are one statement and must agree.

use countersign_token::Rejection;
use serde_json::json;

use crate::kit::{CONSUMERS, Kit, OTHER_TENANT, TENANT, V1_TEMPLATE, V2_TEMPLATE, issuer};

const MISMATCH: Rejection = Rejection::IssuerMismatch;

#[track_caller]
fn issuers<T: AsRef<str>>(texts: &[T]) {
    for text in texts {
        Kit::v2_app().claim("iss", text.as_ref()).refused(MISMATCH);
        let exact = json!([issuer(V2_TEMPLATE, TENANT), issuer(V1_TEMPLATE, TENANT)]);
        Kit::v2_app().claim("iss", text.as_ref()).policy("issuers", exact).refused(MISMATCH);
    }
}

#[test]
fn a76_iss_spelled_otherwise() {
    let path = format!("{TENANT}/v2.0");
    issuers(&[
        format!("https://login.microsoftonline.com/{path}/"),
        format!("https://LOGIN.microsoftonline.com/{path}"),
        format!("https://login.microsoftonline.com/{}/v2.0", TENANT.to_uppercase()),
        format!("https://login.microsoftonline.com/{TENANT}/V2.0"),
        format!("http://login.microsoftonline.com/{path}"),
        format!("HTTPS://login.microsoftonline.com/{path}"),
        format!("https://login.microsoftonline.com:443/{path}"),
        format!("https://login.microsoftonline.com/{path}?x=1"),
        format!("https://login.microsoftonline.com/{path}#x"),
        format!("https://user@login.microsoftonline.com/{path}"),
        format!("https://login.microsoftonline.com//{path}"),
        format!("https://login.microsoftonline.com/./{path}"),
        format!("https://login.microsoftonline.com./{path}"),
        format!(" https://login.microsoftonline.com/{path}"),
        format!("https://login.microsoftonline.com/{path}\0"),
    ]);
}

#[test]
fn a77_iss_is_a_part_of_the_genuine_one_or_contains_it() {
    let genuine = issuer(V2_TEMPLATE, TENANT);
    issuers(&[
        "",
        "https://login.microsoftonline.com",
        "https://login.microsoftonline.com/",
        &genuine[..genuine.len() - 1],
        &genuine[1..],
        &format!("https://login.microsoftonline.com/{TENANT}"),
        &format!("{genuine}.attacker.example"),
        &format!("https://attacker.example/{genuine}"),
        &format!("https://login.microsoftonline.com.attacker.example/{TENANT}/v2.0"),
        &format!("{genuine} {genuine}"),
    ]);
}

#[test]
fn a78_iss_missing_or_of_another_type() {
    Kit::v2_app().without("iss").refused(Rejection::ClaimMissing("iss"));
    let genuine = issuer(V2_TEMPLATE, TENANT);
    for value in [json!([genuine]), json!([]), json!({ "iss": genuine }), json!(null), json!(1), json!(true)] {
        Kit::v2_app().claim("iss", value).refused(Rejection::ClaimType("iss"));
    }
}

#[test]
fn a79_iss_with_a_template_or_an_alias_in_place_of_the_tenant() {
    let aliases =
        ["{tenantid}", "{tenant}", "common", "organizations", "consumers", "contoso.onmicrosoft.com", "*", ""];
    issuers(&aliases.map(|alias| issuer(V2_TEMPLATE, alias)));
    issuers(&aliases.map(|alias| issuer(V1_TEMPLATE, alias)));
}

#[test]
fn a80_iss_of_another_cloud_or_service() {
    issuers(&[
        format!("https://login.microsoftonline.us/{TENANT}/v2.0"),
        format!("https://login.partner.microsoftonline.cn/{TENANT}/v2.0"),
        format!("https://sts.chinacloudapi.cn/{TENANT}/"),
        format!("https://contoso.b2clogin.com/{TENANT}/v2.0/"),
        format!("https://contoso.ciamlogin.com/{TENANT}/v2.0"),
        format!("https://{TENANT}.ciamlogin.com/{TENANT}/v2.0"),
        format!("https://sts.windows.net/{TENANT}/v2.0"),
        format!("https://login.windows.net/{TENANT}/v2.0"),
        "https://accounts.google.com".to_owned(),
    ]);
}

#[test]
fn a81_issuer_and_version_that_do_not_belong_together() {
    Kit::v2_app().claim("iss", issuer(V1_TEMPLATE, TENANT)).refused(MISMATCH);
    Kit::v1_app().claim("iss", issuer(V2_TEMPLATE, TENANT)).refused(MISMATCH);
    Kit::v2_app().claim("ver", "1.0").refused(MISMATCH);
    Kit::v1_app().claim("ver", "2.0").refused(MISMATCH);
    for version in ["", "1", "2", "2.00", "02.0", "3.0", "v2.0", "2.0 ", "１.0"] {
        Kit::v2_app().claim("ver", version).refused(Rejection::VersionUnknown);
    }
    for value in [json!(2), json!(2.0), json!(null), json!(["2.0"])] {
        Kit::v2_app().claim("ver", value).refused(Rejection::ClaimType("ver"));
    }
    Kit::v2_app().without("ver").refused(Rejection::ClaimMissing("ver"));
    Kit::v2_app().policy("versions", json!(["1.0"])).refused(Rejection::VersionNotAllowed);
    Kit::v1_app().policy("versions", json!(["2.0"])).refused(Rejection::VersionNotAllowed);
    Kit::v1_app().policy("versions", json!([])).refused(Rejection::VersionNotAllowed);
    // A policy with issuers of one version takes no token of the other.
    Kit::v1_app().policy("issuers", json!([V2_TEMPLATE])).refused(MISMATCH);
    Kit::v2_app().policy("issuers", json!([V1_TEMPLATE])).refused(MISMATCH);
}

#[test]
fn a82_tid_that_differs_from_iss_or_is_no_guid() {
    Kit::v2_app().claim("tid", OTHER_TENANT).refused(Rejection::TenantNotAllowed);
    let both = json!([TENANT, OTHER_TENANT]);
    Kit::v2_app().claim("tid", OTHER_TENANT).policy("tenants", both.clone()).refused(MISMATCH);
    Kit::v1_app().claim("tid", OTHER_TENANT).policy("tenants", both).refused(MISMATCH);
    let bare = TENANT.replace('-', "");
    for text in [
        "",
        "common",
        "contoso.onmicrosoft.com",
        &bare,
        &TENANT.to_uppercase(),
        &format!("{{{TENANT}}}"),
        &format!("urn:uuid:{TENANT}"),
        &format!("{TENANT} "),
        &TENANT[..35],
        &TENANT.replacen('6', "６", 1),
    ] {
        Kit::v2_app().claim("tid", text).refused(Rejection::TenantMalformed);
    }
    for value in [json!(null), json!(1), json!([TENANT]), json!({})] {
        Kit::v2_app().claim("tid", value).refused(Rejection::ClaimType("tid"));
    }
    Kit::v2_app().without("tid").refused(Rejection::ClaimMissing("tid"));
}

#[test]
fn a83_a_consistent_token_of_another_tenant() {
    for tenant in [OTHER_TENANT, CONSUMERS, "00000000-0000-0000-0000-000000000000"] {
        let kit = Kit::v2_app().claim("tid", tenant).claim("iss", issuer(V2_TEMPLATE, tenant));
        kit.refused(Rejection::TenantNotAllowed);
        kit.clone().policy("tenants", json!([])).refused(Rejection::TenantNotAllowed);
        kit.clone().policy("tenants", json!([TENANT, tenant])).accepted();
        // An exact issuer keeps the other tenant out, whatever the list of tenants says.
        let exact = json!([issuer(V2_TEMPLATE, TENANT)]);
        kit.policy("tenants", json!([TENANT, tenant])).policy("issuers", exact).refused(MISMATCH);
    }
}

#[test]
fn a84_tid_that_writes_its_own_issuer() {
    for tid in [
        format!("{TENANT}/v2.0#"),
        format!("../attacker.example/{TENANT}"),
        format!("attacker/{OTHER_TENANT}"),
        "{tenantid}".to_owned(),
        String::new(),
        format!("{TENANT}/v2.0/../{OTHER_TENANT}"),
    ] {
        let kit = Kit::v2_app().claim("iss", issuer(V2_TEMPLATE, &tid)).claim("tid", tid);
        kit.refused(Rejection::TenantMalformed);
    }
}
