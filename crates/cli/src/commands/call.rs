//! `countersign call`: acquires a token and makes a request with it, like curl.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use countersign_client::{AccessToken, ClaimsRequest};
use countersign_discovery::{Limits, TransportError};
use countersign_protocol::Challenge;
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};

use super::acquisition::{Acquisition, Prepared};
use crate::environment::Environment;
use crate::error::CliError;
use crate::exit::Exit;
use crate::terminal::printable;
use crate::{input, report, runtime};

/// Acquire a token and make a request with it, like curl
///
/// The body goes to stdout; the status, and what it means, to stderr. Redirects are not followed: the token is for this
/// address and no other. If the API answers with a claims challenge, a token with those claims is acquired and the request
/// made once more, once; say --capability cp1, or APIs that watch for revocations send none.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit status: 0 once a response has arrived, whatever its status; with --fail 1 from status 400 on.

Examples:
  countersign call https://localhost:8444/orders --scope api://orders/.default -d '{\"item\":\"tea\"}'
  countersign call https://graph.microsoft.com/v1.0/me --device-code --scope User.Read \\
    --capability cp1")]
pub(crate) struct Args {
    /// The address, https
    url: String,

    /// The method; GET, or POST with -d, unless told otherwise
    #[arg(short = 'X', long, value_name = "METHOD")]
    request: Option<Method>,

    /// A header, 'Name: value'; repeatable
    #[arg(short = 'H', long, value_name = "HEADER")]
    header: Vec<String>,

    /// The body: a text, @FILE, or @- for standard input; sent as JSON unless -H names another Content-Type
    #[arg(short, long, value_name = "DATA")]
    data: Option<String>,

    /// Exit with 1 if the status is 400 or more
    #[arg(short, long)]
    fail: bool,

    /// How long the response may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,

    #[command(flatten)]
    acquisition: Acquisition,
}

/// The largest response taken.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

pub(crate) fn run(args: &Args, environment: &Environment) -> Result<Exit, CliError> {
    let request = build(args)?;
    let prepared = args.acquisition.prepare(environment, args.data.as_deref() == Some("@-"))?;
    let limits = Limits { timeout: Duration::from_secs(args.timeout), max_body_bytes: MAX_BODY_BYTES };
    let response = runtime::small(call(args, &prepared, request, limits))?;
    let mut out = std::io::stdout().lock();
    out.write_all(response.body()).and_then(|()| out.flush()).map_err(CliError::Output)?;
    tell(&response);
    Ok(if args.fail && response.status().as_u16() >= 400 { Exit::Refused } else { Exit::Done })
}

/// The call, and once more if the API wants a token with further claims.
async fn call(
    args: &Args,
    prepared: &Prepared,
    request: Request<Bytes>,
    limits: Limits,
) -> Result<Response<Bytes>, CliError> {
    let send = async |token: &AccessToken| {
        let sent = prepared.transport.send(with_token(request.clone(), token), limits).await;
        let response = sent.and_then(TransportError::refuse_redirect);
        response.map_err(|cause| CliError::Exchange { url: args.url.clone(), cause })
    };
    let acquired = prepared.acquire().await?;
    let response = send(&acquired.token).await?;
    if response.status() != StatusCode::UNAUTHORIZED {
        return Ok(response);
    }
    let Some(claims) = ClaimsRequest::from_headers(response.headers()) else { return Ok(response) };
    report::note("401 with a claims challenge: acquiring a token with the claims it asks for");
    let again = prepared.answer(&acquired, claims).await?;
    send(&again.token).await
}

fn with_token(mut request: Request<Bytes>, token: &AccessToken) -> Request<Bytes> {
    request.headers_mut().insert(AUTHORIZATION, token.authorization().clone());
    request
}

fn build(args: &Args) -> Result<Request<Bytes>, CliError> {
    if !args.url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://")) {
        return Err(CliError::Contradiction {
            what: "the address does not begin with https://",
            hint: "a token that travels in the clear belongs to everybody on the way",
        });
    }
    let body = match args.data.as_deref() {
        None => Bytes::new(),
        Some("@-") => input::stdin()?.into(),
        Some(data) => match data.strip_prefix('@') {
            Some(path) => input::file(Path::new(path))?.into(),
            None => data.to_owned().into(),
        },
    };
    let method = args.request.clone().unwrap_or(if args.data.is_some() { Method::POST } else { Method::GET });
    let mut request = Request::builder().method(method).uri(&args.url).body(body).map_err(|cause| CliError::Value {
        what: "the address",
        value: args.url.clone(),
        cause: cause.into(),
    })?;
    for line in &args.header {
        let (name, value) = header(line)?;
        if name == AUTHORIZATION {
            return Err(CliError::Contradiction {
                what: "Authorization is this command's own header",
                hint: "leave it out, or use curl if you have a token of your own",
            });
        }
        request.headers_mut().append(name, value);
    }
    if args.data.is_some() && !request.headers().contains_key(CONTENT_TYPE) {
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    Ok(request)
}

fn header(line: &str) -> Result<(HeaderName, HeaderValue), CliError> {
    let fault = |cause: Box<dyn std::error::Error + Send + Sync>| CliError::Value {
        what: "the header",
        value: line.to_owned(),
        cause,
    };
    let (name, value) = line.split_once(':').ok_or_else(|| fault("it is not of the form 'Name: value'".into()))?;
    let name = HeaderName::try_from(name.trim()).map_err(|error| fault(error.into()))?;
    let value = HeaderValue::try_from(value.trim()).map_err(|error| fault(error.into()))?;
    Ok((name, value))
}

/// The status line, and what to do about a refusal.
fn tell(response: &Response<Bytes>) {
    let status = response.status();
    report::note(&format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default()));
    let challenge = response.headers().get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
    if let Some(challenge) = challenge {
        report::note(&format!("WWW-Authenticate: {}", printable(challenge)));
    }
    if let Some(text) = advice(status, challenge) {
        report::hint(text);
    }
}

fn advice(status: StatusCode, challenge: Option<&str>) -> Option<&'static str> {
    let bearer = challenge.and_then(Challenge::bearer);
    Some(match status {
        StatusCode::UNAUTHORIZED if bearer.is_some_and(|bearer| bearer.claims().is_some()) => {
            "the API sent a claims challenge again: the new token does not carry what it wants either; 'countersign token … | \
             countersign inspect' shows what it says"
        }
        StatusCode::UNAUTHORIZED => {
            "the API does not take this token: compare its audience and tenant with what the API expects; \
             'countersign token … | countersign inspect' shows them"
        }
        StatusCode::FORBIDDEN => {
            "the API knows the caller and says no: an administrator grants the app role, then acquire a new token"
        }
        StatusCode::SERVICE_UNAVAILABLE => "the API cannot decide now, perhaps because it cannot fetch keys: try again",
        _ => return None,
    })
}
