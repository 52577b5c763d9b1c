//! The front page: what this is, and what to paste into a client.

use countersign_protocol::{AuthorityHost, EndpointVersion};
use maud::{Markup, html};

use super::layout;

pub(super) fn page(host: &AuthorityHost) -> Markup {
    let origin = host.origin();
    let endpoint = |name: &str, url: String| {
        html! { dt { (name) } dd { code { (url) } } }
    };
    let (v1, v2) = (EndpointVersion::V1, EndpointVersion::V2);
    let tenant = "{tenant}";
    let content = html! {
        section {
            h2 { "Endpoints" }
            p { code { "{tenant}" } " is a tenant’s id or one of its domains." }
            dl {
                (endpoint("Authority", format!("{origin}/{tenant}")))
                (endpoint("Token, v2.0", host.token_endpoint(tenant, v2)))
                (endpoint("Token, v1.0", host.token_endpoint(tenant, v1)))
                (endpoint("Metadata", host.metadata_url(tenant, v2)))
                (endpoint("Keys", host.jwks_uri(tenant, v2)))
            }
        }
        section {
            h2 { "Trust" }
            p { "Its certificate comes from a CA of its own. Give clients " a href="/ca.pem" { "the CA’s certificate" } "; never switch verification off." }
            pre { "# Rust, Go, OpenSSL\nexport SSL_CERT_FILE=ca.pem\n# Python\nexport REQUESTS_CA_BUNDLE=ca.pem\n# Node\nexport NODE_EXTRA_CA_CERTS=ca.pem" }
        }
        section {
            h2 { "A token, by hand" }
            pre { "countersign token --authority " (origin) " --tenant {tenant} \\\n  --client-id {client id} --secret-file secret.txt --ca ca.pem \\\n  --scope api://{resource}/.default" }
            p { "An error names its code. Each code has " a href="/error?code=7000215" { "a page that says what it means" } "." }
        }
    };
    layout("This is a local authority", "It issues tokens as Microsoft Entra ID does, on this machine.", &content)
}
