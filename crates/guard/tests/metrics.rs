//! What is counted: decisions by their stable codes, and nothing that a stranger wrote.

use std::collections::BTreeMap;

use countersign_guard::test_kit::TestAuthority;
use countersign_guard::{Guard, Permission, Policy};
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ScopeMetrics};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};

#[tokio::test]
async fn decisions_are_counted_by_their_codes() {
    let exporter = InMemoryMetricExporter::default();
    let reader = PeriodicReader::builder(exporter.clone()).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    opentelemetry::global::set_meter_provider(provider.clone());
    let policy: Policy = serde_json::from_str(
        r#"{"tenants": ["6babcaad-604b-40ac-a9d7-9fd97c0b779f"], "audiences": ["a5d8f9b0-0d2e-4c8a-9d43-0f0f2d4a5c11"],
            "issuers": ["https://login.microsoftonline.com/{tenantid}/v2.0"]}"#,
    )
    .unwrap();
    let authority = TestAuthority::of(&policy);
    let guard = Guard::builder(authority.keys(), &policy).unwrap().build();
    let rule = guard.verifier().register(Permission::any_app_role(["Orders.Read"])).unwrap();
    let kid = "kid-that-a-stranger-wrote";
    for token in [
        authority.app(["Orders.Read"]).token(),
        authority.app(["Other"]).token(),
        format!(
            "{}.e30.AAAA",
            countersign_token::base64url_encode(format!(r#"{{"alg":"RS256","kid":"{kid}"}}"#).as_bytes())
        ),
    ] {
        let request = http::Request::get("/").header("authorization", format!("Bearer {token}")).body(()).unwrap();
        let _ = guard.check(request.headers(), request.extensions(), &rule).await;
    }
    provider.force_flush().unwrap();
    let mut counted = BTreeMap::new();
    for resource in exporter.get_finished_metrics().unwrap() {
        for metric in resource.scope_metrics().flat_map(ScopeMetrics::metrics) {
            assert_eq!(metric.name(), "countersign.guard.decisions");
            let AggregatedMetrics::U64(MetricData::Sum(sum)) = metric.data() else { panic!("not a counter") };
            for point in sum.data_points() {
                let attributes: Vec<String> = point.attributes().map(|it| format!("{}={}", it.key, it.value)).collect();
                counted.insert(attributes.join(" "), point.value());
            }
        }
    }
    // Other tests of this program are counted by the same provider.
    for expected in ["decision=admitted", "decision=refused reason=role_missing", "decision=refused reason=unknown_key"]
    {
        assert!(counted.get(expected).is_some_and(|&count| count > 0), "{expected}: {counted:?}");
    }
    assert!(!format!("{counted:?}").contains(kid));
}
