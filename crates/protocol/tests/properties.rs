//! Parsers that meet text of strangers: they never panic, and what is written can be read again.

use countersign_protocol::token_request::TOKEN_PARAMETERS;
use countersign_protocol::{
    AadSts, AuthorityHost, AuthorizeRequest, AuthorizeResponse, AuthorizeSuccess, BasicCredentials, BearerChallenge,
    Challenge, ClaimsRequest, CodeChallenge, DecodeError, Delivery, EndpointVersion, ErrorContext, Form, FormEncoder,
    LogoutRequest, ManagedIdentityToken, Metadata, RedirectUris, ResourceIdentifier, ResponseMode, ScopeSet,
    TenantSegment, TokenError, TokenRequest, TokenResponse, UserScopes,
};
use countersign_token::Timestamp;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

/// Text in which the characters that mean something are as likely as all others together.
fn spiky() -> impl Strategy<Value = String> {
    vec(prop_oneof![select("%&=+\"\\:,. /?#@{}\r\n\u{0}\u{202e}".chars().collect::<Vec<_>>()), any::<char>()], 0..60)
        .prop_map(|chars| chars.into_iter().collect())
}

/// Texts that are nearly redirect URIs, often of this machine.
fn uri_like() -> impl Strategy<Value = String> {
    "(https?|HTTP|myapp|javascript):(//)?(localhost|127\\.0\\.0\\.1|\\[::1\\]|a\\.example)(:[0-9]{0,5})?(@b)?(/|/cb|/\\.\\./cb|\\?x=1|#f)?"
}

/// Parameters of the browser's requests that most often decide something.
const AUTHORIZE_NAMES: &[&str] = &[
    "claims",
    "client_id",
    "code_challenge",
    "code_challenge_method",
    "max_age",
    "nonce",
    "prompt",
    "redirect_uri",
    "request",
    "response_mode",
    "response_type",
    "scope",
    "state",
];

proptest! {
    #[test]
    fn a_form_reads_as_it_was_written(fields in btree_map(select(TOKEN_PARAMETERS), spiky(), 0..12)) {
        let body = fields.iter().fold(FormEncoder::new(), |form, (name, value)| form.field(name, value)).finish();
        let form = Form::parse(&body, TOKEN_PARAMETERS).unwrap();
        for (name, value) in &fields {
            prop_assert_eq!(form.get(name).unwrap_or_default(), value);
        }
    }

    #[test]
    fn no_body_makes_the_form_parser_panic(body in vec(any::<u8>(), 0..400)) {
        let _ = TokenRequest::parse(&body);
    }

    #[test]
    fn a_repeated_parameter_never_passes(name in select(TOKEN_PARAMETERS), values in vec("[a-z]{0,5}", 2..4)) {
        let body = values.iter().fold(FormEncoder::new(), |form, value| form.field(name, value)).finish();
        prop_assert!(TokenRequest::parse(&body).is_err());
    }

    #[test]
    fn basic_credentials_read_as_they_were_written(id in "[^\u{0}]{1,40}", secret in spiky()) {
        let header = BasicCredentials::encode(&id, &SecretString::from(secret.clone()));
        let read = BasicCredentials::parse(header.expose_secret()).unwrap();
        prop_assert_eq!(read.client_id(), id);
        prop_assert!(read.candidate_secrets().any(|candidate| candidate.expose_secret() == secret));
    }

    #[test]
    fn no_header_makes_the_basic_parser_panic(text in spiky(), scheme in select(vec!["", "Basic ", "basic  "])) {
        let _ = BasicCredentials::parse(&format!("{scheme}{text}"));
    }

    #[test]
    fn nothing_breaks_out_of_a_challenge(values in vec(spiky(), 4)) {
        let header = BearerChallenge::new()
            .realm(&values[0])
            .authorization_uri(&values[1])
            .error_description(&values[2])
            .scope(&values[3])
            .to_header_value();
        prop_assert!(header.bytes().all(|b| (0x20..0x7f).contains(&b)), "{:?}", header);
        let read = Challenge::parse_all(&header);
        prop_assert_eq!(read.len(), 1);
        let names: Vec<&str> = read[0].parameters.iter().map(|(name, _)| name.as_str()).collect();
        prop_assert_eq!(names, ["realm", "authorization_uri", "error_description", "scope"]);
    }

    #[test]
    fn claims_travel_through_a_challenge(value in spiky()) {
        let json = serde_json::json!({"access_token": {"acrs": {"value": value}}}).to_string();
        let header = BearerChallenge::new().claims(&json).to_header_value();
        prop_assert_eq!(Challenge::bearer(&header).unwrap().claims(), Some(json));
    }

    #[test]
    fn no_header_makes_the_challenge_parser_panic(text in spiky()) {
        for challenge in Challenge::parse_all(&text) {
            let _ = challenge.claims();
        }
    }

    #[test]
    fn a_tenant_that_is_taken_stays_what_it_is(text in prop_oneof![spiky(), "[a-zA-Z0-9.-]{0,30}", "[a-z]{1,9}\\.[a-z]{2,3}"]) {
        if let Ok(tenant) = TenantSegment::parse(&text) {
            let written = tenant.to_string();
            prop_assert!(written.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-'));
            prop_assert!(!written.contains(".."));
            prop_assert_eq!(TenantSegment::parse(&written), Ok(tenant));
        }
    }

    #[test]
    fn an_authority_that_is_taken_stays_what_it_is(text in prop_oneof![spiky(), "(https://)?[a-zA-Z0-9.:@/\\[\\]-]{0,24}"]) {
        for text in [text.clone(), format!("https://{text}")] {
            if let Ok(authority) = AuthorityHost::parse(&text) {
                prop_assert_eq!(AuthorityHost::parse(authority.origin()), Ok(authority.clone()));
                prop_assert!(text.to_ascii_lowercase().starts_with(authority.origin()));
            }
        }
    }

    #[test]
    fn a_resource_survives_its_scope(text in "[!-~]{1,60}") {
        if let Ok(resource) = ResourceIdentifier::parse(&text) {
            prop_assert_eq!(ScopeSet::default_of(&resource).client_credentials_resource(), Ok(resource));
        }
    }

    #[test]
    fn the_order_of_scopes_does_not_matter(mut scopes in vec("[a-zA-Z:/.]{1,12}", 1..6), spin in 0_usize..6) {
        let one = ScopeSet::parse(&scopes.join(" ")).unwrap();
        let middle = spin % scopes.len();
        scopes.rotate_left(middle);
        scopes.push(scopes[0].to_uppercase());
        prop_assert_eq!(ScopeSet::parse(&scopes.join("  ")).unwrap(), one);
    }

    #[test]
    fn an_error_description_never_needs_an_escape(text in spiky(), index in any::<prop::sample::Index>()) {
        let entries: Vec<_> = AadSts::all().collect();
        let entry = entries[index.index(entries.len())];
        let insertions: Vec<_> = entry.insertions().map(|name| (name, text.as_str())).collect();
        let authority = AuthorityHost::parse("https://localhost:8443").unwrap();
        let context = ErrorContext {
            trace_id: Uuid::nil(),
            correlation_id: Uuid::nil(),
            timestamp: Timestamp::from_unix_seconds(1_769_853_600),
            authority: &authority,
        };
        let error = TokenError::new(entry, &insertions, &context);
        let json = String::from_utf8(error.to_json()).unwrap();
        prop_assert!(!json.contains('\\'), "{}", json);
        prop_assert_eq!(TokenError::from_json(json.as_bytes()).unwrap(), error);
    }

    #[test]
    fn no_answer_makes_a_decoder_panic(body in prop_oneof![
        vec(any::<u8>(), 0..200),
        spiky().prop_map(String::into_bytes),
        "\\{(\"(error|error_codes|expires_in|expires_on|access_token|token_type)\":(1|\"1\"|null|\\[1\\]|\\{\\}|-1e99),?){0,5}\\}"
            .prop_map(String::into_bytes),
    ]) {
        let _ = TokenResponse::from_json(&body);
        let _ = TokenError::from_json(&body).map(|error| error.to_string());
        let _ = Metadata::from_json(&body);
        if let Err(fault) = ManagedIdentityToken::from_json(&body) {
            prop_assert!(!matches!(fault, DecodeError::UnsupportedTokenType(ref kind) if kind.chars().any(char::is_control)));
        }
    }

    #[test]
    fn no_query_makes_the_browsers_parsers_panic(query in prop_oneof![
        vec(any::<u8>(), 0..300),
        vec((select(AUTHORIZE_NAMES), spiky()), 0..8).prop_map(|fields| {
            fields.iter().fold(FormEncoder::new(), |form, (name, value)| form.field(name, value)).finish()
        }),
    ]) {
        let _ = LogoutRequest::parse(&query);
        match AuthorizeRequest::parse(&query) {
            Ok(request) => prop_assert!(request.response_mode != ResponseMode::Query || !request.response_types.has_token()),
            Err(refusal) => {
                prop_assert!(!refusal.reply_to.is_ambiguous || refusal.reply_to.redirect_uri.is_none());
                prop_assert_eq!(refusal.error.aadsts().status, 400);
                let named: Vec<&str> = refusal.error.insertion().into_iter().map(|(name, _)| name).collect();
                prop_assert_eq!(refusal.error.aadsts().insertions().collect::<Vec<_>>(), named);
            }
        }
    }

    #[test]
    fn b38_no_repeated_parameter_of_a_browser_passes(name in select(AUTHORIZE_NAMES), values in vec("[a-z]{0,5}", 2..4)) {
        let body = values.iter().fold(FormEncoder::new(), |form, value| form.field(name, value)).finish();
        prop_assert!(AuthorizeRequest::parse(&body).is_err());
    }

    #[test]
    fn a_state_comes_back_as_it_was_sent_and_nothing_breaks_out(
        state in spiky(),
        code in "[!-~]{1,40}",
        fragment in any::<bool>(),
        base in select(&["https://a.example/cb", "https://a.example/cb?x=1", "http://localhost:1"][..]),
    ) {
        let mut success = AuthorizeSuccess::default();
        (success.state, success.code) = (Some(state.clone()), Some(SecretString::from(code.clone())));
        let mode = if fragment { ResponseMode::Fragment } else { ResponseMode::Query };
        let Delivery::Location(location) = AuthorizeResponse::from(success).deliver(base, mode) else { unreachable!() };
        prop_assert!(location.bytes().all(|b| b.is_ascii_graphic()));
        let tail = &location[base.len() + 1..];
        prop_assert!(location.starts_with(base) && !tail.contains(['#', '?']));
        let read = Form::parse(tail.as_bytes(), &["state", "code"]).unwrap();
        prop_assert_eq!(read.get("state").unwrap_or_default(), state);
        prop_assert_eq!(read.get("code"), Some(code.as_str()));
    }

    #[test]
    fn b32_b35_a_redirect_uri_is_registered_or_differs_in_a_loopback_port(
        registered in vec(uri_like(), 1..4),
        sent in prop_oneof![uri_like(), spiky()],
    ) {
        let uris = RedirectUris { web: &registered, public_client: &registered, ..RedirectUris::default() };
        if uris.find(&sent).is_some() && !registered.contains(&sent) {
            let sent = url::Url::parse(&sent).unwrap();
            prop_assert!(sent.scheme() == "http" && matches!(sent.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")));
            let same = |one: &String| {
                let Ok(mut one) = url::Url::parse(one) else { return false };
                one.set_port(sent.port()).is_ok() && one == sent
            };
            prop_assert!(registered.iter().any(same));
        }
    }

    #[test]
    fn what_is_granted_survives_the_answers_scope(
        text in prop_oneof![spiky(), "((openid|api://x/|https://graph.microsoft.com/|User|/|\\.default| )){0,6}"],
        graph in any::<bool>(),
    ) {
        for version in [EndpointVersion::V1, EndpointVersion::V2] {
            let first = UserScopes::parse_first(version, Some(&text), None);
            if let Ok(asked) = UserScopes::parse(version, Some(&text), None) {
                prop_assert_eq!(first.as_ref(), Ok(&asked));
                let answer = asked.response_scope(asked.names.iter().map(String::as_str), graph);
                prop_assert!(answer.split(' ').all(|scope| scope != "offline_access"));
                // A client that sends it back asks for the same.
                if version == EndpointVersion::V2 && !asked.default && !asked.names.is_empty() && !graph {
                    let again = UserScopes::parse(version, Some(&answer), None).unwrap();
                    prop_assert_eq!((&again.resource, &again.names), (&asked.resource, &asked.names));
                }
            }
        }
    }

    #[test]
    fn no_claims_request_makes_the_parser_panic(text in prop_oneof![
        spiky(),
        "\\{\"(access_token|id_token)\":\\{\"(xms_cc|acrs|nbf|polids)\":\\{(\"(essential|value|values)\":(1|\"1\"|null|\\[1\\]|\\{\\}|true),?){0,3}\\}\\}\\}",
    ]) {
        if let Ok(request) = ClaimsRequest::parse(&text) {
            prop_assert_eq!(request.as_str(), text);
            prop_assert!(request.capabilities().count() + request.policy_ids().count() < 100);
        }
    }

    #[test]
    fn only_its_own_verifier_opens_a_challenge(one in "[A-Za-z0-9._~-]{43,128}", other in "[A-Za-z0-9._~-]{43,128}") {
        let plain = CodeChallenge::parse(&one, None).unwrap();
        let hashed = CodeChallenge::s256(&one).unwrap();
        prop_assert_eq!(&CodeChallenge::parse(hashed.text(), Some("S256")).unwrap(), &hashed);
        for challenge in [plain, hashed] {
            prop_assert_eq!(challenge.verify(&one), Ok(()));
            prop_assert_eq!(challenge.verify(&other).is_ok(), one == other);
        }
    }
}
