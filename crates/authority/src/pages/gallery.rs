//! Every page in every state, from made-up people and applications: what the tests below go through, and what
//! `cargo xtask pages` takes pictures of.

use std::path::Path;

use countersign_protocol::AuthorityHost;
use maud::Markup;

use super::*;

/// A page, its file name, and how it is sent.
struct Shown {
    name: &'static str,
    page: Markup,
    policy: Policy<'static>,
}

const ORDERS: Asking<'static> = Asking {
    name: "Orders Dashboard",
    publisher: Some("contoso.example"),
    verified: true,
    homepage: Some("https://orders.contoso.example/start"),
};
const UNVERIFIED: Asking<'static> =
    Asking { name: "Backup helper", publisher: None, verified: false, homepage: Some("https://backup-helper.example") };
const HOSTILE: Asking<'static> = Asking {
    name: "\u{202e}tfosorciM <script>alert(1)</script> MicrosoftMicrosoftMicrosoftMicrosoftMicrosoftMicrosoftMicrosoftMicrosoftMicrosoftMicrosoftMicrosoft",
    publisher: Some(
        "microsoft.com.very-long-sub-domain.of.an.attacker.who-never-stops-typing-labels.example\"><img src=x>",
    ),
    verified: false,
    homepage: Some("https://user@evil.example/\"onclick=\"x"),
};
const ANNA: Account<'static> =
    Account { id: "a1", name: "Anna Lindqvist", upn: "anna@contoso.example", signed_in: true };
const BEN: Account<'static> =
    Account { id: "b2", name: "Ben Okafor", upn: "ben.okafor@contoso.example", signed_in: false };
const NOOR: Account<'static> =
    Account { id: "c3", name: "نور الهاشمي", upn: "noor@fabrikam.example", signed_in: true };
const LONG: Account<'static> = Account {
    id: "d4",
    name: "Maximiliane Alexandra von und zu Hohenstein-Wittgenstein-Sayn-Berleburg",
    upn: "maximiliane.alexandra.von.und.zu.hohenstein-wittgenstein@subsidiary.contoso.example",
    signed_in: true,
};

const fn step(application: Option<Asking<'static>>) -> Step<'static> {
    Step { tenant: Some("Contoso"), application, action: "/contoso.example/login", flow: "v1.sealed-flow-state" }
}

const READ: Permission<'static> = Permission {
    title: "Read your orders",
    description: "Lets the application see the orders that you placed, with their positions and prices.",
    value: "api://orders/Orders.Read",
    admin_only: false,
    application_role: false,
};
const PROFILE: Permission<'static> = Permission {
    title: "See your name and user name",
    description: "",
    value: "profile",
    admin_only: false,
    application_role: false,
};
const APPROVE: Permission<'static> = Permission {
    title: "Approve orders of everybody",
    description: "Lets the application approve and reject any order of the organisation as you.",
    value: "api://orders/Orders.Approve.All",
    admin_only: true,
    application_role: false,
};
const ROLE: Permission<'static> = Permission {
    title: "Read all stock",
    description: "Lets the application read the stock of all warehouses without a person.",
    value: "api://warehouse/Stock.Read.All",
    admin_only: true,
    application_role: true,
};
const FORGED: Permission<'static> = Permission {
    title: "<b>Nothing</b> \u{202e}at all",
    description: "\u{2066}\"Harmless\"</li></ul><h1>Accept</h1>",
    value: "api://evil/\"><script>x</script>",
    admin_only: false,
    application_role: false,
};

fn sign_in_pages() -> Vec<Shown> {
    let ask = Policy::Ask { leads_to: Some("https://orders.contoso.example/signin") };
    let fresh = SignInView { step: step(Some(ORDERS)), account: None, login: "", fault: None, has_others: true };
    let wrong =
        SignInView { login: "anna@contoso.exmaple", fault: Some(SignInFault::Credentials), has_others: false, ..fresh };
    let known = SignInView { account: Some(ANNA), has_others: false, ..fresh };
    let hostile = SignInView {
        step: Step { tenant: Some(HOSTILE.name), ..step(Some(HOSTILE)) },
        login: "\"><script>alert(1)</script>",
        fault: Some(SignInFault::Stale),
        ..fresh
    };
    let picker = AccountPickerView { step: step(Some(ORDERS)), accounts: &[ANNA, BEN, NOOR, LONG] };
    let stay = StaySignedInView { step: step(Some(ORDERS)), account: ANNA };
    vec![
        Shown { name: "sign-in", page: sign_in(&fresh), policy: ask },
        Shown { name: "sign-in-fault", page: sign_in(&wrong), policy: ask },
        Shown { name: "sign-in-known", page: sign_in(&known), policy: ask },
        Shown { name: "sign-in-hostile", page: sign_in(&hostile), policy: ask },
        Shown { name: "account-picker", page: account_picker(&picker), policy: ask },
        Shown { name: "stay-signed-in", page: stay_signed_in(&stay), policy: ask },
    ]
}

fn consent_pages() -> Vec<Shown> {
    let ask = Policy::Ask { leads_to: Some("https://orders.contoso.example/signin") };
    let person =
        ConsentView { step: step(Some(ORDERS)), account: ANNA, permissions: &[PROFILE, READ], administrator: false };
    let administrator = ConsentView {
        permissions: &[PROFILE, READ, APPROVE],
        administrator: true,
        step: step(Some(UNVERIFIED)),
        ..person
    };
    let hostile =
        ConsentView { step: step(Some(HOSTILE)), account: LONG, permissions: &[FORGED, READ], administrator: true };
    let organisation =
        AdminConsentView { step: step(Some(ORDERS)), account: ANNA, permissions: &[READ, APPROVE, ROLE] };
    let need = NeedApprovalView { step: step(Some(ORDERS)), account: BEN, permissions: &[APPROVE, READ] };
    vec![
        Shown { name: "consent", page: consent(&person), policy: ask },
        Shown { name: "consent-administrator", page: consent(&administrator), policy: ask },
        Shown { name: "consent-hostile", page: consent(&hostile), policy: ask },
        Shown { name: "admin-consent", page: admin_consent(&organisation), policy: ask },
        Shown { name: "need-approval", page: need_approval(&need), policy: ask },
    ]
}

fn device_pages() -> Vec<Shown> {
    let ask = Policy::Ask { leads_to: None };
    let tool =
        Asking { name: "Contoso command line", publisher: Some("contoso.example"), verified: true, homepage: None };
    let fresh = DeviceCodeView { step: Step { tenant: None, ..step(None) }, code: "", fault: None };
    let wrong = DeviceCodeView { code: "GTHK2KPXQ", fault: Some(DeviceCodeFault::Wrong), ..fresh };
    let confirm = DeviceConfirmView { step: step(Some(tool)), account: Some(ANNA), code: "GTHK2KPXQ" };
    let done = |approved| DeviceDoneView { tenant: Some("Contoso"), application: tool, approved };
    vec![
        Shown { name: "device-code", page: device_code(&fresh), policy: ask },
        Shown { name: "device-code-fault", page: device_code(&wrong), policy: ask },
        Shown { name: "device-confirm", page: device_confirm(&confirm), policy: ask },
        Shown { name: "device-done", page: device_done(&done(true)), policy: Policy::Read },
        Shown { name: "device-declined", page: device_done(&done(false)), policy: Policy::Read },
    ]
}

const FRAMES: &[&str] = &["https://orders.contoso.example/signout?sid=1", "https://stock.contoso.example/signout"];

fn sign_out_pages() -> Vec<Shown> {
    let ask = Policy::Ask { leads_to: Some("https://orders.contoso.example/bye") };
    let plain = SignedOutView { tenant: Some("Contoso"), upn: Some(ANNA.upn), frames: &[], continue_to: None };
    let onward =
        SignedOutView { frames: FRAMES, continue_to: Some("https://orders.contoso.example/bye?state=7"), ..plain };
    vec![
        Shown { name: "sign-out", page: sign_out(&SignOutView { step: step(None), account: Some(ANNA) }), policy: ask },
        Shown {
            name: "sign-out-choice",
            page: sign_out_choice(&SignOutChoiceView { step: step(None), accounts: &[ANNA, NOOR] }),
            policy: ask,
        },
        Shown { name: "signed-out", page: signed_out(&plain), policy: Policy::Read },
        Shown { name: "signed-out-onward", page: signed_out(&onward), policy: Policy::Frames(FRAMES) },
    ]
}

fn other_pages() -> Vec<Shown> {
    let fault = ErrorView {
        tenant: Some("Contoso"),
        application: Some("Orders Dashboard"),
        code: 50011,
        meaning: "The redirect URI 'https://orders.contoso.example/signin2' specified in the request does not match the redirect URIs configured for the application 'a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11'.",
        advice: "The application's developer adds this address, letter for letter, to the redirect URIs of its registration.",
        correlation_id: "2f1d8c52-4f0e-4a6c-9f0b-1a7e5d3c9b21",
        trace_id: "6b0c9f4e-0a3d-4d57-8a53-93b0a2c41f00",
        time: "2026-11-20 13:33:10Z",
    };
    let post = FormPostView {
        tenant: Some("Contoso"),
        application: Some("Orders Dashboard"),
        redirect_uri: "https://orders.contoso.example/signin",
        fields: &[("code", "1.AXk\"><script>"), ("state", "a&b=\"c\""), ("session_state", "guid")],
    };
    let host = AuthorityHost::parse("https://localhost:8443").unwrap();
    vec![
        Shown { name: "error", page: error(&fault), policy: Policy::Read },
        Shown { name: "form-post", page: form_post(&post), policy: Policy::Post { to: post.redirect_uri } },
        Shown { name: "check-session", page: check_session(), policy: Policy::Framed },
        Shown { name: "front", page: front::page(&host), policy: Policy::Read },
        Shown { name: "error-lookup", page: error_lookup::page_of(Some("code=7000215")).1, policy: Policy::Read },
    ]
}

fn all() -> Vec<Shown> {
    [sign_in_pages(), consent_pages(), device_pages(), sign_out_pages(), other_pages()].into_iter().flatten().collect()
}

/// Not a test: writes the pages and what they load, for `cargo xtask pages`.
#[test]
#[ignore = "writes files; `cargo xtask pages` runs it"]
#[expect(clippy::disallowed_methods, reason = "the chore says where to write")]
fn write() {
    let folder = std::env::var("COUNTERSIGN_PAGES").unwrap();
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder.join("assets")).unwrap();
    for (path, _, content) in assets::ALL {
        std::fs::write(folder.join(&path[1..]), content).unwrap();
    }
    for shown in all() {
        let mut page = shown.page.0.replace("\"/assets/", "\"assets/");
        // A page that goes on by itself would be gone before its picture is taken.
        for script in ["submit", "continue"] {
            page = page.replace(&format!("<script src=\"assets/{script}.js\" defer></script>"), "");
        }
        std::fs::write(folder.join(shown.name).with_extension("html"), page).unwrap();
    }
}

#[test]
fn b65_b79_no_page_has_script_or_style_of_its_own() {
    for Shown { name, page, .. } in all() {
        let page = page.0;
        assert!(page.len() < 60_000, "{name}: {} bytes", page.len());
        assert!(!page.contains(" style=") && !page.contains("<style"), "{name}");
        for script in page.split("<script").skip(1) {
            assert!(script.starts_with(" src=\"/assets/"), "{name}: {script}");
            let end = script.find('>').unwrap();
            assert!(script[end..].starts_with("></script>"), "{name}: {script}");
        }
        // An attribute that runs: none of ours begins with "on", and none of theirs leaves its quotes.
        for tag in page.split('<').skip(1) {
            let attributes = tag.split('>').next().unwrap();
            let unquoted: String = attributes.split('"').step_by(2).collect();
            assert!(!unquoted.contains(" on"), "{name}: {tag}");
        }
    }
}

#[test]
fn b68_b79_hostile_names_stay_text() {
    for Shown { name, page, .. } in all() {
        for bad in ["<script>alert", "<img", "<b>", "\u{202e}", "\u{2066}", "\"onclick", "<script>x"] {
            assert!(!page.0.contains(bad), "{name}: {bad}");
        }
    }
    let page = consent_pages().into_iter().find(|shown| shown.name == "consent-hostile").unwrap().page.0;
    assert!(page.contains("<bdi>tfosorciM &lt;script&gt;alert(1)&lt;/script&gt;"), "{page}");
    assert!(page.contains("&lt;b&gt;Nothing&lt;/b&gt; at all"), "{page}");
    assert!(page.contains("Unverified") && !page.contains("Verified</span>"), "{page}");
}

#[test]
fn b68_names_that_never_end_make_no_endless_page() {
    let flood = "\u{1f9ff}&<".repeat(30_000);
    let application = Asking { name: &flood, publisher: Some(&flood), verified: true, homepage: Some(&flood) };
    let account = Account { id: "x", name: &flood, upn: &flood, signed_in: true };
    let step = Step { tenant: Some(&flood), application: Some(application), action: "/x", flow: "x" };
    let permission =
        Permission { title: &flood, description: &flood, value: &flood, admin_only: true, application_role: true };
    let permissions = [permission; 3];
    let fault = Some(SignInFault::Credentials);
    for page in [
        sign_in(&SignInView { step, account: None, login: &flood, fault, has_others: true }),
        account_picker(&AccountPickerView { step, accounts: &[account; 5] }),
        stay_signed_in(&StaySignedInView { step, account }),
        consent(&ConsentView { step, account, permissions: &permissions, administrator: true }),
        admin_consent(&AdminConsentView { step, account, permissions: &permissions }),
        need_approval(&NeedApprovalView { step, account, permissions: &permissions }),
        device_code(&DeviceCodeView { step, code: &flood, fault: Some(DeviceCodeFault::Wrong) }),
        device_confirm(&DeviceConfirmView { step, account: Some(account), code: &flood }),
        device_done(&DeviceDoneView { tenant: Some(&flood), application, approved: true }),
        sign_out(&SignOutView { step, account: Some(account) }),
        signed_out(&SignedOutView { tenant: Some(&flood), upn: Some(&flood), frames: &[], continue_to: None }),
    ] {
        assert!(page.0.len() < 60_000, "{} bytes: {}", page.0.len(), &page.0[..200]);
    }
}

#[test]
fn every_page_has_one_title_one_heading_and_a_language() {
    for Shown { name, page, .. } in all() {
        assert!(page.0.starts_with("<!DOCTYPE html><html lang=\"en\">"), "{name}");
        assert_eq!(page.0.matches("<title>").count(), 1, "{name}");
        if name != "check-session" {
            assert_eq!(page.0.matches("<h1>").count(), 1, "{name}");
            assert_eq!(page.0.matches("<main").count(), 1, "{name}");
        }
    }
}

#[test]
fn every_form_carries_the_flow_and_posts_where_it_was_told() {
    for Shown { name, page, policy } in all() {
        for form in page.0.split("<form").skip(1) {
            let form = form.split("</form>").next().unwrap();
            assert!(form.contains("method=\"post\""), "{name}");
            match policy {
                Policy::Ask { .. } => {
                    assert!(form.contains("action=\"/contoso.example/login\""), "{name}");
                    assert!(form.contains("type=\"hidden\" name=\"flow\" value=\"v1.sealed-flow-state\""), "{name}");
                }
                Policy::Post { to } => assert!(form.contains(&format!("action=\"{to}\"")), "{name}"),
                Policy::Read | Policy::Frames(_) | Policy::Framed => panic!("{name} has a form that its policy stops"),
            }
        }
    }
}

/// What the engine reads: the names and values that buttons and fields post.
#[test]
fn the_fields_are_those_that_the_flow_reads() {
    for (page, fields) in [
        ("sign-in", &["name=\"login\"", "name=\"passwd\"", "name=\"cancel\" value=\"yes\"", "name=\"switch\""][..]),
        ("sign-in-known", &["name=\"login\" value=\"anna@contoso.example\"", "name=\"passwd\"", "name=\"switch\""]),
        (
            "account-picker",
            &["name=\"account\" value=\"a1\"", "name=\"account\" value=\"other\"", "name=\"forget\" value=\"a1\""],
        ),
        ("stay-signed-in", &["name=\"kmsi\" value=\"yes\"", "name=\"kmsi\" value=\"no\""]),
        ("consent", &["name=\"decision\" value=\"accept\"", "name=\"decision\" value=\"decline\"", "name=\"switch\""]),
        ("consent-administrator", &["name=\"for_all\" value=\"yes\""]),
        ("admin-consent", &["name=\"decision\" value=\"accept\"", "name=\"decision\" value=\"decline\""]),
        ("need-approval", &["name=\"decision\" value=\"decline\"", "name=\"switch\" value=\"yes\""]),
        ("device-code-fault", &["name=\"code\" value=\"GTHK2KPXQ\""]),
        ("device-confirm", &["name=\"decision\" value=\"accept\"", "name=\"decision\" value=\"decline\""]),
        ("sign-out", &["name=\"signout\" value=\"yes\"", "name=\"signout\" value=\"no\""]),
        ("sign-out-choice", &["name=\"account\" value=\"c3\"", "name=\"account\" value=\"all\""]),
        (
            "form-post",
            &[
                "name=\"code\" value=\"1.AXk&quot;&gt;&lt;script&gt;\"",
                "name=\"state\" value=\"a&amp;b=&quot;c&quot;\"",
            ],
        ),
    ] {
        let shown = all().into_iter().find(|shown| shown.name == page).unwrap().page.0;
        for field in fields {
            assert!(shown.contains(field), "{page}: {field}\n{shown}");
        }
    }
    let person = consent_pages().swap_remove(0).page.0;
    assert!(!person.contains("for_all"), "only an administrator may decide for all");
}

/// Enter in a text field presses the first button of its form.
#[test]
fn enter_never_cancels() {
    for Shown { name, page, .. } in all() {
        for form in page
            .0
            .split("<form")
            .skip(1)
            .filter(|form| form.contains("type=\"password\"") || form.contains("id=\"code\""))
        {
            let button = form.split("<button").nth(1).unwrap();
            assert!(button.contains("class=\"primary\""), "{name}: {button}");
        }
    }
}

#[test]
fn a_fault_keeps_what_was_typed_says_no_half_and_has_the_focus() {
    let page = sign_in_pages().swap_remove(1).page.0;
    assert!(page.contains("value=\"anna@contoso.exmaple\""), "{page}");
    assert!(page.contains("Account or password is not right"), "{page}");
    let focused: Vec<_> = page.split('<').filter(|tag| tag.contains("autofocus")).collect();
    assert!(focused.len() == 1 && focused[0].contains("name=\"passwd\""), "{focused:?}");
    for field in page.split('<').filter(|tag| tag.contains("name=\"login\"") || tag.contains("name=\"passwd\"")) {
        assert!(field.contains("aria-invalid=\"true\"") && field.contains("aria-describedby=\"fault\""), "{field}");
    }
}

#[test]
fn password_managers_find_their_fields() {
    let has = |name: &str, text: &str| {
        let page = all().into_iter().find(|shown| shown.name == name).unwrap().page.0;
        assert!(page.contains(text), "{name}: {text}");
    };
    has("sign-in", "autocomplete=\"username\"");
    has("sign-in", "autocomplete=\"current-password\"");
    has("sign-in-known", "autocomplete=\"username\"");
    has("device-code", "autocomplete=\"one-time-code\"");
}

#[test]
fn b79_nobody_is_led_to_an_address_that_runs() {
    let view = SignedOutView {
        tenant: None,
        upn: None,
        frames: &["javascript:alert(1)", "data:text/html,x"],
        continue_to: Some("javascript:alert(1)"),
    };
    let page = signed_out(&view).0;
    assert!(!page.contains("javascript") && !page.contains("data:") && !page.contains("iframe"), "{page}");
    let post = FormPostView {
        tenant: None,
        application: None,
        redirect_uri: "javascript:alert(1)",
        fields: &[("code", "secret")],
    };
    let page = form_post(&post).0;
    assert!(!page.contains("javascript") && !page.contains("secret") && !page.contains("<form"), "{page}");
}

#[test]
fn assets_are_small_and_the_style_sheet_has_a_dozen_variables() {
    for (path, _, content) in assets::ALL {
        assert!(content.len() < 15_000, "{path}: {} bytes", content.len());
    }
    let style = assets::ALL[0].2;
    let light = style.split(":root {").nth(1).unwrap().split('}').next().unwrap();
    let variables = light.lines().filter(|line| line.trim_start().starts_with("--")).count();
    assert!((10..=13).contains(&variables), "{variables}");
    assert!(!style.contains("url(") && !style.contains("@import") && !style.contains("@font-face"));
}
