//! IMDS, App Service and Azure ML.

use countersign_protocol::managed_identity::ManagedIdentitySource;
use countersign_protocol::{ManagedIdentityError, ManagedIdentityToken};

use crate::line::lines;

#[test]
fn every_answer_of_the_metadata_service_is_understood() {
    let Some(lines) = lines("imds") else { return };
    let mut refused = 0;
    for line in &lines {
        let response = line.response.as_ref().unwrap();
        if line.outcome != "ok" {
            refused += 1;
            let read = ManagedIdentityError::from_json(response.json()).unwrap();
            assert_eq!(read.code, "invalid_request", "{}", line.id);
            line.assert_same(&read.to_json());
            continue;
        }
        let read = ManagedIdentityToken::from_json(response.json()).unwrap();
        line.assert_same(&read.to_json(ManagedIdentitySource::Imds));
        let (ends, begins) = (read.expires_on.unwrap(), read.not_before.unwrap());
        assert_eq!(u64::try_from(ends - begins).unwrap(), read.ext_expires_in.unwrap() + 301, "{}", line.id);
        assert!(read.expires_in.unwrap() <= read.ext_expires_in.unwrap(), "{}", line.id);
    }
    assert!(refused > 0);
}

#[test]
fn every_answer_of_app_service_and_azure_ml_is_understood() {
    let Some(lines) = lines("appservice") else { return };
    let (mut new, mut dated, mut numbers) = (0, 0, 0);
    for line in &lines {
        let response = line.response.as_ref().unwrap();
        let read = ManagedIdentityToken::from_json(response.json()).unwrap();
        match response.members().get("expires_on").unwrap() {
            serde_json::Value::Number(_) => {
                numbers += 1;
                line.assert_same(&read.to_json(ManagedIdentitySource::AzureMl));
            }
            serde_json::Value::String(text) if text.contains('/') => {
                dated += 1;
                // Recorded on 2021-05-21; these tokens live for a day.
                let day = 1_621_555_200 + 86_400;
                assert!((day..day + 86_400).contains(&read.expires_on.unwrap()), "{}", line.id);
            }
            _ => {
                new += 1;
                line.assert_same(&read.to_json(ManagedIdentitySource::AppService));
            }
        }
    }
    assert!(new > 0 && dated > 0 && numbers > 0);
}
