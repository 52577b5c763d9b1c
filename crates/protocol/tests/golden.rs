//! Every message against bytes written down by hand, in both directions. `golden/README.md` says where they come from.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use countersign_protocol::managed_identity::ManagedIdentitySource;
use countersign_protocol::token_request::CLIENT_CAPABILITY_CP1;
use countersign_protocol::{
    AadSts, AuthorityHost, AuthorizeFailure, AuthorizeRequest, AuthorizeResponse, AuthorizeSuccess, BasicCredentials,
    BearerChallenge, BearerError, Challenge, ClaimsChallenge, ClaimsRequest, ClientAuthentication,
    ClientCredentialsRequest, ClientInfo, CloudProfile, Delivery, DeviceAuthorization, EndpointVersion, ErrorContext,
    GrantType, InstanceApiVersion, InstanceDiscovery, MSA_TENANT, ManagedIdentityError, ManagedIdentityToken, Metadata,
    Prompt, PublishedKey, PublishedKeySet, ResourceIdentifier, ResponseMode, ServedTenant, TokenError, TokenRequest,
    TokenResponse, UserInfo, UserRealm, UserScopes,
};
use countersign_token::{ClientId, TenantId, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

const V1: EndpointVersion = EndpointVersion::V1;
const V2: EndpointVersion = EndpointVersion::V2;
const CLIENT: &str = "a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11";
const SECRET: &str = "8Q~a+b%c d&e=ö";

/// The bytes of one sample, without the line feed at the file's end.
fn golden(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let mut bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes.pop(), Some(b'\n'), "{} must end in one line feed", path.display());
    bytes
}

#[track_caller]
fn assert_bytes(made: &[u8], name: &str) {
    let expected = golden(name);
    assert_eq!(String::from_utf8_lossy(made), String::from_utf8_lossy(&expected), "{name}");
}

fn authority(origin: &str) -> AuthorityHost {
    AuthorityHost::parse(origin).unwrap()
}

fn tenant() -> TenantId {
    "6babcaad-604b-40ac-a9d7-9fd97c0b779f".parse().unwrap()
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

#[test]
fn token_responses_of_applications() {
    let v2 = TokenResponse::new(secret("aaaa.bbbb.cccc"), 3599);
    assert_bytes(&v2.to_json(V2), "token_response/v2_app.json");
    let mut long_lived = TokenResponse::new(secret("aaaa.bbbb.cccc"), 86399);
    long_lived.refresh_in = Some(43199);
    assert_bytes(&long_lived.to_json(V2), "token_response/v2_app_long_lived.json");
    let v1 = v2.with_v1_members("https://graph.microsoft.com", 1_767_221_699, 1_767_225_599);
    assert_bytes(&v1.to_json(V1), "token_response/v1_app.json");

    let read = TokenResponse::from_json(&golden("token_response/v2_app_long_lived.json")).unwrap();
    assert_eq!(read.access_token.expose_secret(), "aaaa.bbbb.cccc");
    assert_eq!((read.expires_in, read.ext_expires_in, read.refresh_in), (86399, Some(86399), Some(43199)));
    let read = TokenResponse::from_json(&golden("token_response/v1_app.json")).unwrap();
    assert_eq!((read.expires_in, read.expires_on, read.not_before), (3599, Some(1_767_225_599), Some(1_767_221_699)));
    assert_eq!(read.resource.as_deref(), Some("https://graph.microsoft.com"));
}

#[test]
fn token_responses_of_users() {
    for (name, version) in [("token_response/v2_user.json", V2), ("token_response/v1_user.json", V1)] {
        let read = TokenResponse::from_json(&golden(name)).unwrap();
        assert_bytes(&read.to_json(version), name);
    }
    let read = TokenResponse::from_json(&golden("token_response/v2_user.json")).unwrap();
    assert_eq!(read.scope.as_deref(), Some("api://orders/access_as_user api://orders/.default"));
    assert_eq!(read.refresh_token.as_ref().unwrap().expose_secret(), "1.AXoAopaque");
    assert_eq!(read.id_token.as_ref().unwrap().expose_secret(), "dddd.eeee.ffff");
    assert_eq!(read.foci.as_deref(), Some("1"));
    let read = TokenResponse::from_json(&golden("token_response/v1_user.json")).unwrap();
    assert_eq!((read.expires_in, read.ext_expires_in), (43482, Some(302_683)));
}

#[test]
fn error_bodies() {
    let claims = r#"{"access_token":{"polids":{"essential":true,"values":["00000000-0000-4000-8000-000000000003"]}}}"#;
    let (local, public) = (authority("https://localhost:8443"), authority("https://login.microsoftonline.com"));
    let context = |authority| ErrorContext {
        trace_id: Uuid::from_u128(0x0a1b_2c3d_0000_4000_8000_0000_0000_0001),
        correlation_id: Uuid::from_u128(0x9c8d_7e6f_0000_4000_8000_0000_0000_0002),
        timestamp: Timestamp::from_unix_seconds(1_769_853_600),
        authority,
    };
    let made = |entry, insertions: &[(&str, &str)]| TokenError::new(entry, insertions, &context(&local));
    let tenant = tenant().to_string();
    for (name, error) in [
        ("7000215", made(AadSts::INVALID_CLIENT_SECRET, &[("app_id", CLIENT)])),
        ("700016", made(AadSts::APPLICATION_NOT_FOUND, &[("app_id", CLIENT), ("tenant", "Zoë & Söhne")])),
        ("70003", made(AadSts::UNSUPPORTED_GRANT_TYPE, &[("grant_type", "no_such_grant")])),
        ("50034", made(AadSts::USER_NOT_FOUND, &[("user", "ada@contoso.com"), ("tenant", &tenant)])),
        (
            "50079_claims",
            made(AadSts::MFA_ENROLMENT_REQUIRED_ON_BEHALF_OF, &[("resource", CLIENT)]).with_claims(claims),
        ),
        (
            "90002_discovery",
            TokenError::new(AadSts::TENANT_NOT_FOUND_IN_DISCOVERY, &[("tenant", "nobody.example")], &context(&public)),
        ),
    ] {
        let name = format!("token_error/{name}.json");
        assert_bytes(&error.to_json(), &name);
        assert_eq!(TokenError::from_json(&golden(&name)).unwrap(), error, "{name}");
    }
    let read = TokenError::from_json(&golden("token_error/50079_claims.json")).unwrap();
    assert_eq!((read.aadsts(), read.suberror(), read.claims()), (Some(50_079), Some("basic_action"), Some(claims)));
    assert_eq!(read.trace_id(), Some("0a1b2c3d-0000-4000-8000-000000000001"));
    assert_eq!(read.correlation_id(), Some("9c8d7e6f-0000-4000-8000-000000000002"));
    let read = TokenError::from_json(&golden("token_error/7000215.json")).unwrap();
    assert!(AadSts::INVALID_CLIENT_SECRET.describes(read.message().unwrap()));
    assert_eq!((read.error(), read.status()), ("invalid_client", 401));
    assert_eq!(read.error_uri(), Some("https://localhost:8443/error?code=7000215"));
}

#[test]
fn metadata_documents() {
    let (local, public) = ("https://localhost:8443", "https://login.microsoftonline.com");
    let (own, global) = (ServedTenant::Tenant(tenant()), CloudProfile::GLOBAL);
    for (name, origin, cloud, tenant, version) in [
        ("v2_tenant", local, global, own, V2),
        ("v2_common", public, global, ServedTenant::Common, V2),
        ("v2_tenant_china", "https://login.partner.microsoftonline.cn", CloudProfile::CHINA, own, V2),
        ("v1_tenant", local, global, own, V1),
        ("v1_organizations", public, global, ServedTenant::Organizations, V1),
        ("v1_consumers", public, global, ServedTenant::Consumers, V1),
    ] {
        let name = format!("metadata/{name}.json");
        let document = Metadata::new(&authority(origin), &cloud, tenant, version);
        assert_bytes(&document.to_json(), &name);
        assert_eq!(Metadata::from_json(&golden(&name)).unwrap(), document, "{name}");
    }
    let consumers = Metadata::from_json(&golden("metadata/v1_consumers.json")).unwrap();
    assert_eq!(consumers.issuer, CloudProfile::GLOBAL.issuer_v1(MSA_TENANT));
}

#[test]
fn instance_discovery_answers() {
    let (local, public) = (authority("https://localhost:8443"), authority("https://login.microsoftonline.com"));
    let (old, new) = (InstanceApiVersion::V1_0, InstanceApiVersion::V1_1);
    for (name, own, endpoint, version) in [
        ("own", &local, "https://localhost:8443/contoso.com/oauth2/v2.0/authorize", new),
        ("public", &public, "https://login.microsoftonline.com/common/oauth2/v2.0/authorize", new),
        ("api_version_1_0", &local, "https://localhost/common/oauth2/authorize", old),
    ] {
        let name = format!("instance/{name}.json");
        let answer = InstanceDiscovery::new(own, endpoint, version).unwrap();
        assert_bytes(&answer.to_json(), &name);
        assert_eq!(InstanceDiscovery::from_json(&golden(&name)).unwrap(), answer, "{name}");
    }
}

#[test]
fn key_sets() {
    let key = PublishedKey::new(&[0xfb; 20], &[0, 0xc1, 2, 3], &[1, 0, 1], &[0xfb; 3])
        .with_issuer("microsoftonline.com", authority("https://localhost:8443").issuer_v2("{tenantid}"));
    let set = PublishedKeySet { keys: vec![key] };
    assert_bytes(&set.to_json(V2), "keys/v2.json");
    assert_bytes(&set.to_json(V1), "keys/v1.json");
    assert_eq!(PublishedKeySet::from_json(&golden("keys/v2.json")).unwrap(), set);
    let mut old = PublishedKeySet::from_json(&golden("keys/v2_without_cloud.json")).unwrap();
    assert_bytes(&old.to_json(V2), "keys/v2_without_cloud.json");
    old.keys[0].cloud_instance_name = Some("microsoftonline.com".to_owned());
    assert_eq!(old, set);
    assert_eq!(PublishedKeySet::from_json(&golden("keys/v1.json")).unwrap().keys[0].issuer, None);
}

#[test]
fn device_authorizations() {
    let made = DeviceAuthorization::new("GK3TKX9MA", secret("GAQABAAEAAAD"), "https://microsoft.com/devicelogin");
    for (name, version) in [("device_code/v2.json", V2), ("device_code/v1.json", V1)] {
        assert_bytes(&made.to_json(version), name);
        let read = DeviceAuthorization::from_json(&golden(name)).unwrap();
        assert_eq!((&read.user_code, &read.message), (&made.user_code, &made.message));
        assert_eq!((read.expires_in.as_secs(), read.interval.as_secs()), (900, 5));
        assert_eq!(read.device_code.expose_secret(), "GAQABAAEAAAD");
        assert_eq!(read.verification_uri, "https://microsoft.com/devicelogin");
    }
}

#[test]
fn user_realms() {
    let realm = UserRealm::managed("contoso.com", &CloudProfile::GLOBAL);
    assert_bytes(&realm.to_json(), "user_realm/managed.json");
    assert_eq!(UserRealm::from_json(&golden("user_realm/managed.json")).unwrap(), realm);
}

#[test]
fn managed_identity_answers() {
    for (name, source) in [
        ("managed_identity/imds.json", ManagedIdentitySource::Imds),
        ("managed_identity/app_service.json", ManagedIdentitySource::AppService),
        ("managed_identity/azure_ml.json", ManagedIdentitySource::AzureMl),
    ] {
        let read = ManagedIdentityToken::from_json(&golden(name)).unwrap();
        assert_bytes(&read.to_json(source), name);
        assert_eq!(read.access_token.expose_secret(), "aaaa.bbbb.cccc");
        assert_eq!(read.resource.as_deref(), Some("https://management.azure.com/"));
    }
    let imds = ManagedIdentityToken::from_json(&golden("managed_identity/imds.json")).unwrap();
    assert_eq!((imds.expires_in, imds.expires_on), (Some(86091), Some(1_740_272_916)));
    assert_eq!((imds.ext_expires_in, imds.not_before), (Some(86399), Some(1_740_186_216)));
    let error = ManagedIdentityError::from_json(&golden("managed_identity/imds_error.json")).unwrap();
    assert_bytes(&error.to_json(), "managed_identity/imds_error.json");
    assert_eq!((error.code.as_str(), error.message.as_deref()), ("invalid_request", Some("Identity not found")));
}

#[test]
fn token_requests() {
    let client_id: ClientId = CLIENT.parse().unwrap();
    let resource = ResourceIdentifier::parse("https://management.azure.com/").unwrap();
    let (secret, assertion) = (secret(SECRET), secret("aaaa.bbbb.cccc"));
    let by_secret = ClientCredentialsRequest::new(&client_id, &resource, ClientAuthentication::Secret(&secret));
    let by_assertion =
        ClientCredentialsRequest::new(&client_id, &resource, ClientAuthentication::Assertion(&assertion))
            .with_claims(Some(CLIENT_CAPABILITY_CP1));
    assert_bytes(&by_secret.to_form(V2), "token_request/v2_secret.form");
    assert_bytes(&by_secret.to_form(V1), "token_request/v1_secret.form");
    assert_bytes(&by_assertion.to_form(V2), "token_request/v2_assertion.form");

    let read = TokenRequest::parse(&golden("token_request/v2_secret.form")).unwrap();
    assert_eq!(read.client_id.as_deref(), Some(CLIENT));
    assert_eq!(read.client_secret.as_ref().unwrap().expose_secret(), SECRET);
    assert_eq!(read.scope.as_deref(), Some("https://management.azure.com//.default"));
    let read = TokenRequest::parse(&golden("token_request/v1_secret.form")).unwrap();
    assert_eq!((read.resource.as_deref(), read.scope), (Some("https://management.azure.com/"), None));
    let read = TokenRequest::parse(&golden("token_request/v2_assertion.form")).unwrap();
    assert_eq!(read.client_assertion.as_ref().unwrap().expose_secret(), "aaaa.bbbb.cccc");
    assert_eq!(read.claims.as_deref(), Some(CLIENT_CAPABILITY_CP1));
}

#[test]
fn basic_headers() {
    let header = BasicCredentials::encode(CLIENT, &secret(SECRET));
    assert_bytes(header.expose_secret().as_bytes(), "basic/secret.txt");
    let text = String::from_utf8(golden("basic/secret.txt")).unwrap();
    let read = BasicCredentials::parse(&text).unwrap();
    assert_eq!(read.client_id(), CLIENT);
    let candidates: Vec<&str> = read.candidate_secrets().map(ExposeSecret::expose_secret).collect();
    assert_eq!(candidates, ["8Q%7Ea%2Bb%25c+d%26e%3D%C3%B6", SECRET]);
}

#[test]
fn challenges() {
    let json = r#"{"access_token":{"nbf":{"essential":true, "value":"1604106651"}}}"#;
    let claims = BearerChallenge::new()
        .realm("")
        .authorization_uri("https://login.microsoftonline.com/common/oauth2/authorize")
        .client_id("00000003-0000-0000-c000-000000000000")
        .error(BearerError::InsufficientClaims)
        .claims(json);
    assert_bytes(claims.to_header_value().as_bytes(), "challenge/claims.txt");
    let scope = BearerChallenge::new()
        .realm("")
        .error(BearerError::InsufficientScope)
        .error_description("the token has none of the roles 'Resource.Write'")
        .scope("Resource.Write");
    assert_bytes(scope.to_header_value().as_bytes(), "challenge/insufficient_scope.txt");
    assert_bytes(BearerChallenge::new().to_header_value().as_bytes(), "challenge/bare.txt");

    let read = |name| Challenge::bearer(&String::from_utf8(golden(name)).unwrap()).unwrap();
    assert_eq!(read("challenge/claims.txt").claims().as_deref(), Some(json));
    assert_eq!(read("challenge/claims.txt").get("realm"), Some(""));
    assert_eq!(read("challenge/insufficient_scope.txt").get("error"), Some("insufficient_scope"));
    assert_eq!(read("challenge/bare.txt").parameters, []);
}

#[test]
fn token_requests_of_users() {
    let read = |name: &str| TokenRequest::parse(&golden(&format!("token_request/{name}.form"))).unwrap();
    let shown = |secret: &Option<SecretString>| secret.as_ref().map(|text| text.expose_secret().to_owned());
    for (name, grant) in [
        ("v2_on_behalf_of", GrantType::JwtBearer),
        ("v2_code", GrantType::AuthorizationCode),
        ("v2_refresh", GrantType::RefreshToken),
        ("v2_device", GrantType::DeviceCode),
        ("v1_device", GrantType::DeviceCode),
        ("v1_password", GrantType::Password),
    ] {
        let request = read(name);
        assert_eq!(request.grant_type.as_deref().and_then(GrantType::parse), Some(grant), "{name}");
        assert_eq!(request.client_id.as_deref(), Some(CLIENT), "{name}");
    }
    let on_behalf_of = read("v2_on_behalf_of");
    assert_eq!(shown(&on_behalf_of.assertion).as_deref(), Some("aaaa.bbbb.cccc"));
    assert_eq!(on_behalf_of.requested_token_use.as_deref(), Some("on_behalf_of"));
    let asked = UserScopes::parse(V2, on_behalf_of.scope.as_deref(), None).unwrap();
    assert!(asked.oidc.openid && asked.oidc.offline_access && asked.names == ["access_as_user"]);
    let code = read("v2_code");
    assert_eq!(shown(&code.code).as_deref(), Some("1.AXoAopaque"));
    assert_eq!(code.redirect_uri.as_deref(), Some("http://localhost:3000/cb"));
    assert_eq!(shown(&code.code_verifier).as_deref(), Some("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
    assert!(code.telemetry && code.client_info && ClaimsRequest::parse(code.claims.as_deref().unwrap()).is_ok());
    assert_eq!(shown(&read("v2_refresh").refresh_token).as_deref(), Some("1.AXoArefresh"));
    for name in ["v1_device", "v2_device"] {
        assert_eq!(shown(&read(name).device_code).as_deref(), Some("GAQABAAEAAAD"), "{name}");
    }
    let password = read("v1_password");
    assert_eq!(shown(&password.password).as_deref(), Some("p&ss wörd"));
    assert_eq!(password.username.as_deref(), Some("ada@contoso.com"));
    let asked = UserScopes::parse(V1, password.scope.as_deref(), password.resource.as_deref()).unwrap();
    assert!(asked.oidc.openid && asked.is_microsoft_graph());
}

#[test]
fn authorization_requests() {
    let read = |name: &str| AuthorizeRequest::parse(&golden(&format!("authorize_request/{name}.query"))).unwrap();
    let python = read("msal_python");
    assert_eq!((python.client_id.as_str(), python.response_mode), (CLIENT, ResponseMode::Query));
    assert_eq!(python.redirect_uri.as_deref(), Some("http://localhost:49152"));
    assert_eq!((python.state.as_deref(), python.nonce.as_deref()), (Some("AbCdEfGhIjKlMnOp"), Some("0c2b7d1e")));
    assert!(python.client_info && python.response_types.code && !python.response_types.has_token());
    let challenge = python.code_challenge.unwrap();
    assert_eq!(challenge.verify("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), Ok(()));
    let node = read("msal_node");
    assert_eq!((node.prompt, node.response_mode), (Some(Prompt::SelectAccount), ResponseMode::FormPost));
    assert_eq!(node.client_request_id, Some(Uuid::from_u128(0x9c8d_7e6f_0000_4000_8000_0000_0000_0002)));
    assert_eq!(node.claims.unwrap().id_token().names().collect::<Vec<_>>(), ["login_hint"]);
    assert_eq!(node.state.as_deref(), Some("eyJzIjoxfQ=="));
    let hybrid = read("v1_hybrid");
    assert!(hybrid.response_types.code && hybrid.response_types.id_token && !hybrid.response_types.token);
    assert_eq!(hybrid.resource.as_deref(), Some("https://graph.microsoft.com"));
    assert_eq!((hybrid.domain_hint.as_deref(), hybrid.nonce.as_deref()), (Some("contoso.com"), Some("638.OTk")));
}

#[test]
fn authorization_responses() {
    let state = || Some("AbCdEfGhIjKlMnOp".to_owned());
    let session = Uuid::from_u128(0x0a1b_2c3d_0000_4000_8000_0000_0000_0001);
    let info = ClientInfo { uid: "11111111-1111-4111-8111-111111111111".parse().unwrap(), utid: tenant() };
    assert_bytes(info.encode().as_bytes(), "client_info/user.txt");
    assert_eq!(ClientInfo::decode(&String::from_utf8(golden("client_info/user.txt")).unwrap()).unwrap(), info);

    let mut code = AuthorizeSuccess::default();
    (code.code, code.state, code.session_state) = (Some(secret("1.AXoAopaque")), state(), Some(session));
    code.client_info = Some(info.encode());
    let mut tokens = AuthorizeSuccess::default();
    (tokens.access_token, tokens.id_token) = (Some(secret("aaaa.bbbb.cccc")), Some(secret("dddd.eeee.ffff")));
    (tokens.expires_in, tokens.scope) = (Some(3599), Some("openid profile email User.Read".to_owned()));
    (tokens.state, tokens.session_state) = (state(), Some(session));
    let authority = authority("https://localhost:8443");
    let context = ErrorContext {
        trace_id: session,
        correlation_id: Uuid::from_u128(0x9c8d_7e6f_0000_4000_8000_0000_0000_0002),
        timestamp: Timestamp::from_unix_seconds(1_769_853_600),
        authority: &authority,
    };
    let declined = TokenError::new(AadSts::CONSENT_DECLINED, &[], &context);
    for (name, response, mode) in [
        ("code", AuthorizeResponse::from(code), ResponseMode::Query),
        ("tokens", AuthorizeResponse::from(tokens), ResponseMode::Fragment),
        ("cancelled", AuthorizeFailure::new(&declined, state()).cancelled().into(), ResponseMode::Query),
    ] {
        let Delivery::Location(location) = response.deliver("https://app.example/cb", mode) else {
            panic!("{name} is a redirect")
        };
        assert_bytes(location.as_bytes(), &format!("authorize_response/{name}.txt"));
    }
}

#[test]
fn claims_requests_and_challenges() {
    let read = |name: &str| {
        let json = String::from_utf8(golden(&format!("claims_request/{name}.json"))).unwrap();
        ClaimsRequest::parse(&json).unwrap()
    };
    assert!(read("capability").has_capability("cp1"));
    let both = read("challenge_and_capability");
    assert_eq!(both.not_before(), Some(Timestamp::from_unix_seconds(1_604_106_651)));
    assert_eq!(both.authentication_context().unwrap().values, ["c1"]);
    assert!(both.has_capability("cp1"));
    let challenge = ClaimsChallenge::not_before(Timestamp::from_unix_seconds(1_604_106_651)).to_bearer_challenge(
        "https://login.microsoftonline.com/common/oauth2/authorize",
        Some("00000003-0000-0000-c000-000000000000"),
    );
    assert_bytes(challenge.to_header_value().as_bytes(), "challenge/claims.txt");
}

#[test]
fn userinfo_answers() {
    let read = UserInfo::from_json(&golden("user_info/v2.json")).unwrap();
    assert_bytes(&read.to_json(), "user_info/v2.json");
    assert_eq!((read.given_name.as_deref(), read.email.as_deref()), (Some("Ada"), Some("ada@contoso.com")));
}
