//! The metadata service of a virtual machine and App Service's endpoint, each lending the stage's managed identity.

use std::fmt::Write as _;

use countersign_conformance::wire::{Answer, get_plain};
use secrecy::ExposeSecret;

use super::stage::Stage;
use crate::exchange::Exchange;

pub(super) async fn lent(stage: &Stage, exchange: &Exchange) -> Result<Answer, &'static str> {
    let is_imds = exchange.topic() == "imds";
    if !is_imds && exchange.path().is_empty() {
        return Err("the endpoint of a service that is neither a virtual machine nor App Service");
    }
    let identity = &stage.house.authority.managed_identities()[0];
    let address = identity.imds().strip_prefix("http://").and_then(|address| address.parse().ok()).unwrap();
    let path = if is_imds { exchange.path() } else { "/msi/token" };
    let query = exchange.query().split('&').map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = match name {
            "client_id" | "clientid" => identity.client_id().to_string(),
            "object_id" => identity.object_id().to_string(),
            "mi_res_id" => identity.resource_id().to_owned(),
            _ => value.to_owned(),
        };
        format!("{name}={value}")
    });
    let target = format!("{path}?{}", query.collect::<Vec<_>>().join("&"));
    let mut headers = String::new();
    for (name, value) in exchange.request()["headers"].as_object().into_iter().flatten() {
        let recorded = value.as_str().unwrap_or_default();
        let value = if name == "secret" { identity.identity_header().expose_secret() } else { recorded };
        let _ = write!(headers, "{name}: {value}\r\n");
    }
    Ok(get_plain(address, &target, &headers).await)
}
