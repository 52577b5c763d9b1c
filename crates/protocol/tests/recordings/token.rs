//! Token endpoint and device code start.

use countersign_protocol::form::is_telemetry;
use countersign_protocol::{
    AadSts, DeviceAuthorization, EndpointVersion, FormEncoder, GrantType, TokenError, TokenRequest, TokenResponse,
    UserScopes, headers,
};
use secrecy::{ExposeSecret, SecretString};

use crate::line::{Line, Ordered, Response, lines};

/// Asserts what the catalogue says about a recorded error, and what the body says about itself.
pub(crate) fn assert_error(line: &Line) {
    let response = line.response.as_ref().unwrap();
    let body = response.members();
    let error = TokenError::from_json(response.json()).unwrap();
    line.assert_same(&error.to_json());

    let code = error.aadsts().unwrap();
    assert_eq!(format!("AADSTS{code}"), line.outcome, "{}", line.id);
    let entry = error.entry().unwrap();
    assert_eq!(entry.error, error.error(), "{}: the catalogue has another word for {code}", line.id);
    assert_eq!((entry.status, error.status()), (response.status, response.status), "{}", line.id);
    assert_eq!(entry.error_uri, error.error_uri().is_some(), "{}: error_uri of {code}", line.id);
    assert_eq!(entry.suberror, error.suberror(), "{}: suberror of {code}", line.id);
    assert!(!error.is_retryable(), "{}", line.id);
    if let Some(uri) = error.error_uri() {
        let code_or_trace = uri.strip_prefix("https://login.microsoftonline.com/error?code=").unwrap();
        assert!(code_or_trace == code.to_string() || code_or_trace == "Sanitized", "{}", line.id);
    }

    let description = error.description().unwrap();
    let message = error.message().unwrap();
    // The recorder cut this text at the first query parameter it took for a secret.
    let cut = description.ends_with("tabs=Sanitized");
    if cut {
        let fixed = entry.text.split("'{thumbprint}'").next().unwrap();
        assert!(message.starts_with(fixed), "{}: {message}", line.id);
    } else {
        let newest = match code {
            7_000_215 => line.month() >= 202_208,
            700_027 => line.month() >= 202_208,
            _ => true,
        };
        assert_eq!(AadSts::variants(code).any(|entry| entry.describes(message)), newest, "{}: {message}", line.id);
        let glue = if line.month() <= 202_308 { "\r\n" } else { " " };
        let [trace, correlation, time] =
            ["trace_id", "correlation_id", "timestamp"].map(|name| body.text(name).unwrap());
        let whole = format!(
            "AADSTS{code}: {message}{glue}Trace ID: {trace}{glue}Correlation ID: {correlation}{glue}Timestamp: {time}"
        );
        assert_eq!(description, whole, "{}", line.id);
    }

    if let Some(request_id) = response.headers.text(headers::X_MS_REQUEST_ID) {
        assert_eq!(error.trace_id(), Some(request_id), "{}", line.id);
    }
    let sent = line.request.as_ref().and_then(|request| request.headers.text(headers::CLIENT_REQUEST_ID));
    if let Some(sent) = sent {
        assert_eq!(error.correlation_id(), Some(sent), "{}", line.id);
        assert_eq!(response.headers.text(headers::CLIENT_REQUEST_ID), Some(sent), "{}", line.id);
    }
}

/// The fields of `x-ms-clitelem`; the fourth is filled for refresh tokens only.
fn assert_clitelem(line: &Line, code: Option<u32>) {
    let Some(recorded) = line.response.as_ref().unwrap().headers.text(headers::X_MS_CLITELEM) else { return };
    let ours = headers::clitelem(code);
    if line.grant.as_deref() == Some("refresh_token") && recorded != ours {
        assert!(recorded.starts_with(ours.strip_suffix(",,").unwrap()), "{}: {recorded}", line.id);
    } else {
        assert_eq!(recorded, ours, "{}", line.id);
    }
}

fn encode(form: &Ordered) -> Vec<u8> {
    let value = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    form.0.iter().fold(FormEncoder::new(), |encoder, (name, text)| encoder.field(name, &value(text))).finish()
}

fn assert_request(line: &Line, form: &Ordered) {
    let request = TokenRequest::parse(&encode(form)).unwrap();
    assert_eq!(request.grant_type.as_deref(), form.text("grant_type"), "{}", line.id);
    let known = request.grant_type.as_deref().and_then(GrantType::parse);
    let expected = match line.grant.as_deref().unwrap() {
        _ if form.text("grant_type") == Some("Sanitized") => None,
        "client_credentials" => Some(GrantType::ClientCredentials),
        "device_code_poll" => Some(GrantType::DeviceCode),
        "password" => Some(GrantType::Password),
        "refresh_token" => Some(GrantType::RefreshToken),
        "no_such_grant" => None,
        other => panic!("{}: a form of grant {other}", line.id),
    };
    assert_eq!(known, expected, "{}", line.id);
    assert_eq!(request.client_id.as_deref(), form.text("client_id"), "{}", line.id);
    assert_eq!(request.claims.as_deref(), form.text("claims"), "{}", line.id);
    let exposed = |secret: &Option<SecretString>| secret.as_ref().map(|text| text.expose_secret().to_owned());
    assert_eq!(exposed(&request.client_secret).as_deref(), form.text("client_secret"), "{}", line.id);
    assert_eq!(exposed(&request.client_assertion).as_deref(), form.text("client_assertion"), "{}", line.id);
    assert_eq!(request.telemetry, form.names().into_iter().any(is_telemetry), "{}", line.id);
    assert_eq!(request.client_info, form.text("client_info") == Some("1"), "{}", line.id);
    if request.telemetry {
        let response = line.response.as_ref().unwrap();
        assert!(response.headers.text(headers::X_MS_CLITELEM).is_some(), "{}: telemetry without an answer", line.id);
    }
}

#[test]
fn every_token_exchange_is_understood() {
    let Some(lines) = lines("token") else { return };
    let (mut granted, mut refused) = (0, 0);
    for line in &lines {
        // One line of the file has only the claims of its token.
        let Some(response) = &line.response else { continue };
        line.assert_headers(headers::TOKEN);
        if let Some(form) = line.request.as_ref().and_then(|request| request.form.as_ref()) {
            assert_request(line, form);
        }
        if line.outcome == "ok" {
            granted += 1;
            assert_eq!(response.status, 200, "{}", line.id);
            let read = TokenResponse::from_json(response.json()).unwrap();
            line.assert_same(&read.to_json(EndpointVersion::V2));
            assert_eq!(Some(read.expires_in), read.ext_expires_in, "{}", line.id);
            if line.grant.as_deref() == Some("client_credentials") {
                assert_eq!((&read.scope, &read.client_info), (&None, &None), "{}", line.id);
                assert!(read.refresh_token.is_none() && read.id_token.is_none(), "{}", line.id);
            }
            assert_clitelem(line, None);
        } else {
            refused += 1;
            assert_error(line);
            assert_clitelem(line, TokenError::from_json(response.json()).unwrap().aadsts());
        }
    }
    assert!(granted > 0 && refused > 0);
    assert_eq!(granted + refused + 1, lines.len());
}

#[test]
fn our_client_credentials_answer_has_the_recorded_bytes() {
    let Some(lines) = lines("token") else { return };
    let mut compared = 0;
    for line in lines.iter().filter(|line| line.grant.as_deref() == Some("client_credentials") && line.outcome == "ok")
    {
        let Some(response) = &line.response else { continue };
        let recorded = response.members();
        let lifetime = recorded.get("expires_in").unwrap().as_u64().unwrap();
        let mut ours = TokenResponse::new(SecretString::from(recorded.text("access_token").unwrap()), lifetime);
        ours.refresh_in = recorded.get("refresh_in").map(|value| value.as_u64().unwrap());
        line.assert_same(&ours.to_json(EndpointVersion::V2));
        compared += 1;
    }
    assert!(compared > 20);
}

#[test]
fn every_device_code_start_is_understood() {
    let Some(lines) = lines("devicecode") else { return };
    for line in &lines {
        let response = line.response.as_ref().unwrap();
        let recorded = response.members();
        line.assert_headers(headers::TOKEN);
        assert_clitelem(line, None);
        let read = DeviceAuthorization::from_json(response.json()).unwrap();
        assert_eq!(read.expires_in.as_secs(), 900, "{}", line.id);
        // The recorders' own intervals, to make their tests run fast, are rounded or typed otherwise.
        if recorded.get("interval").unwrap().is_u64() {
            line.assert_same(&read.to_json(EndpointVersion::V2));
        }
        if recorded.text("message").unwrap().starts_with("To sign in") {
            let ours = DeviceAuthorization::new(&*read.user_code, read.device_code.clone(), &*read.verification_uri);
            let message = read.message.replace("{user_code}", &read.user_code);
            assert_eq!(ours.message, message, "{}", line.id);
        }
    }
}

/// The answer's `scope`, made from what it says was granted and from how the request asked, has the recorded words.
#[test]
fn the_scope_of_an_answer_follows_the_request() {
    let Some(lines) = lines("token") else { return };
    let mut compared = 0;
    for line in lines.iter().filter(|line| line.outcome == "ok") {
        let form = line.request.as_ref().and_then(|request| request.form.as_ref());
        let asked = form.and_then(|form| form.text("scope")).filter(|scope| !scope.contains("sanitized"));
        let answer = line.response.as_ref().map(Response::members);
        let answer = answer.as_ref().and_then(|members| members.text("scope"));
        let (Some(asked), Some(answer)) = (asked, answer) else { continue };
        let asked = UserScopes::parse(EndpointVersion::V2, Some(asked), None).unwrap();
        let prefix = asked.resource.as_ref().map(|resource| format!("{resource}/")).unwrap_or_default();
        let granted = answer.split(' ').map(|scope| scope.strip_prefix(&prefix).unwrap_or(scope));
        let made = asked.response_scope(granted.filter(|name| *name != ".default"), asked.is_microsoft_graph());
        let sorted = |text: &str| {
            let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
            words.sort_unstable();
            words
        };
        assert_eq!(sorted(&made), sorted(answer), "{}", line.id);
        compared += 1;
    }
    assert!(compared >= 5, "only {compared} answers could be compared");
}
