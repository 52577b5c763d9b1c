//! Metadata, instance discovery, key sets and user realms.

use countersign_protocol::{
    AccountType, AuthorityHost, CloudProfile, EndpointVersion, InstanceApiVersion, InstanceDiscovery, MSA_TENANT,
    Metadata, PublishedKeySet, ServedTenant, TenantSegment, UserRealm, headers,
};

use crate::line::{Ordered, lines};
use crate::token::assert_error;

fn public() -> AuthorityHost {
    AuthorityHost::parse("https://login.microsoftonline.com").unwrap()
}

/// The tenant of a document's token endpoint as it would be served, and the text that stands for it.
fn served(document: &Metadata) -> (ServedTenant, String) {
    let text = document.token_endpoint.split('/').nth(3).unwrap().to_owned();
    let tenant = match TenantSegment::parse(&text) {
        Ok(TenantSegment::Id(id)) => ServedTenant::Tenant(id),
        Ok(TenantSegment::Common) => ServedTenant::Common,
        Ok(TenantSegment::Organizations) => ServedTenant::Organizations,
        // The recorder's stand-in: a tenant's document, or that of an alias, as its issuer tells.
        _ if document.issuer.contains("{tenantid}") => ServedTenant::Organizations,
        _ => ServedTenant::Tenant(MSA_TENANT),
    };
    (tenant, text)
}

#[test]
fn every_metadata_document_is_understood_and_is_the_one_we_would_serve() {
    let Some(lines) = lines("discovery") else { return };
    let mut ours_compared = 0;
    for line in &lines {
        if line.outcome != "ok" {
            line.assert_headers(headers::DISCOVERY_ERROR);
            assert_error(line);
            continue;
        }
        line.assert_headers(headers::DISCOVERY);
        let response = line.response.as_ref().unwrap();
        let read = Metadata::from_json(response.json()).unwrap();
        line.assert_same(&read.to_json());
        // Before mid-2021 the document had fewer members.
        if line.month() >= 202_108 {
            let (tenant, stand_in) = served(&read);
            let mut ours = Metadata::new(&public(), &CloudProfile::GLOBAL, tenant, EndpointVersion::V2);
            ours.tenant_region_scope = read.tenant_region_scope.clone();
            assert_eq!(ours.tenant_region_scope.is_none(), tenant.is_alias(), "{}", line.id);
            let json = String::from_utf8(ours.to_json()).unwrap().replace(&tenant.to_string(), &stand_in);
            line.assert_same(json.as_bytes());
            ours_compared += 1;
        }
    }
    assert!(ours_compared > 8);
}

#[test]
fn every_instance_discovery_answer_is_understood_and_is_the_one_we_would_give() {
    let Some(lines) = lines("instance") else { return };
    let mut ours_compared = 0;
    for line in &lines {
        line.assert_headers(headers::DISCOVERY);
        let read = InstanceDiscovery::from_json(line.response.as_ref().unwrap().json()).unwrap();
        line.assert_same(&read.to_json());
        let query = line.request.as_ref().unwrap().query.as_deref().unwrap();
        let Some((_, endpoint)) = query.split_once("authorization_endpoint=") else { continue };
        // Stand-ins for a tenant or for a private cloud's host.
        if endpoint.contains("fake-tenant") || endpoint.contains("private.host") {
            continue;
        }
        let ours = InstanceDiscovery::new(&public(), endpoint, InstanceApiVersion::V1_1).unwrap();
        assert_eq!(ours, read, "{}", line.id);
        line.assert_same(&ours.to_json());
        ours_compared += 1;
    }
    assert!(ours_compared > 5);
}

#[test]
fn every_key_set_is_understood() {
    const WITHOUT_CLOUD: [&str; 8] = ["kty", "use", "kid", "x5t", "n", "e", "x5c", "issuer"];
    let Some(lines) = lines("jwks") else { return };
    for line in &lines {
        let response = line.response.as_ref().unwrap();
        line.assert_headers(headers::DISCOVERY);
        let read = PublishedKeySet::from_json(response.json()).unwrap();
        assert!(read.keys.len() >= 4, "{}", line.id);
        line.assert_same(&read.to_json(EndpointVersion::V2));
        let keys = |json: &[u8]| serde_json::from_slice::<Keys>(json).unwrap().keys;
        let (ours, recorded) = (keys(&read.to_json(EndpointVersion::V2)), keys(response.json()));
        assert_eq!(ours, recorded, "{}: members of keys in order", line.id);
        for key in ours {
            let names: Vec<&str> = key.names().into_iter().filter(|name| *name != "cloud_instance_name").collect();
            assert_eq!(names, WITHOUT_CLOUD, "{}", line.id);
            assert_eq!((key.text("kid"), key.text("use")), (key.text("x5t"), Some("sig")), "{}", line.id);
        }
    }
}

#[derive(serde::Deserialize)]
struct Keys {
    keys: Vec<Ordered>,
}

#[test]
fn every_user_realm_is_understood() {
    let Some(lines) = lines("userrealm") else { return };
    for line in &lines {
        line.assert_headers(headers::TOKEN);
        line.assert_headers(&[headers::USER_REALM_DISPOSITION]);
        let read = UserRealm::from_json(line.response.as_ref().unwrap().json()).unwrap();
        assert_eq!(read.account_type, AccountType::Managed, "{}", line.id);
        let ours = UserRealm::managed(read.domain_name.clone().unwrap(), &CloudProfile::GLOBAL);
        line.assert_same(&ours.to_json());
    }
}
