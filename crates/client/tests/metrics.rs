//! What is counted, in whose words, and that nobody else's words become a series. One test, since the meter provider is
//! the program's.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ScopeMetrics};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use support::{Endpoint, client, clock, refused, scopes, settle};

/// Series of counters and histograms with their sums or counts: `tokens{grant=…,token_source=…}`.
fn series(exporter: &InMemoryMetricExporter) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for metrics in exporter.get_finished_metrics().unwrap() {
        for metric in metrics.scope_metrics().flat_map(ScopeMetrics::metrics) {
            let name = metric.name().trim_start_matches("countersign.client.");
            let mut add = |attributes: Vec<String>, value: u64| {
                all.insert(format!("{name}{{{}}}", attributes.join(",")), value);
            };
            macro_rules! points {
                ($points:expr, $value:expr) => {
                    for point in $points {
                        let mut attributes: Vec<String> =
                            point.attributes().map(|it| format!("{}={}", it.key, it.value)).collect();
                        attributes.sort();
                        add(attributes, $value(point));
                    }
                };
            }
            match metric.data() {
                AggregatedMetrics::U64(MetricData::Sum(sum)) => {
                    points!(sum.data_points(), |point: &opentelemetry_sdk::metrics::data::SumDataPoint<u64>| point
                        .value());
                }
                AggregatedMetrics::U64(MetricData::Histogram(histogram)) => {
                    points!(histogram.data_points(), |point: &opentelemetry_sdk::metrics::data::HistogramDataPoint<
                        u64,
                    >| point.sum());
                }
                AggregatedMetrics::F64(MetricData::Histogram(histogram)) => {
                    points!(histogram.data_points(), |point: &opentelemetry_sdk::metrics::data::HistogramDataPoint<
                        f64,
                    >| point.count());
                }
                _ => panic!("{name}"),
            }
        }
    }
    all
}

#[tokio::test(start_paused = true)]
async fn sources_reasons_lives_and_herds_are_counted() {
    let exporter = InMemoryMetricExporter::default();
    let provider = SdkMeterProvider::builder().with_reader(PeriodicReader::builder(exporter.clone()).build()).build();
    opentelemetry::global::set_meter_provider(provider.clone());

    let (endpoint, clock) = (Endpoint::issuing(), clock());
    let client = client(&endpoint, &clock);
    let orders = scopes("api://orders");
    // A herd of ten, three hits, one renewal ahead, one after the end, one refusal in words of a stranger's.
    let gate = endpoint.hold();
    let callers: Vec<_> = (0..10)
        .map(|_| {
            let (client, orders) = (client.clone(), orders.clone());
            tokio::spawn(async move { client.acquire_token_for_client(&orders).await.unwrap() })
        })
        .collect();
    settle().await;
    gate.open();
    for caller in callers {
        caller.await.unwrap();
    }
    let token = client.acquire_token_for_client(&orders).await.unwrap();
    client.acquire_token_for_client(&orders).await.unwrap();
    clock.set(token.refresh_on());
    client.acquire_token_for_client(&orders).await.unwrap();
    settle().await;
    clock.advance(Duration::from_secs(7200));
    client.acquire_token_for_client(&orders).await.unwrap();
    endpoint.answers(|_| refused(400, "made_up", 123_456_789, "Series of a stranger's."));
    client.acquire_token_for_client(&scopes("api://other")).await.unwrap_err();

    provider.force_flush().unwrap();
    let series = series(&exporter);
    let value = |name: &str| *series.get(name).unwrap_or_else(|| panic!("{name} in {series:#?}"));
    let fetched = |reason: &str| {
        value(&format!(
            "tokens{{cache_refresh_reason={reason},grant=client_credentials,token_source=IdentityProvider}}"
        ))
    };
    assert_eq!(value("tokens{cache_refresh_reason=NotApplicable,token_source=Cache}"), 3);
    assert_eq!(fetched("NoCachedAccessToken"), 1);
    assert_eq!(fetched("ProactivelyRefreshed"), 1);
    assert_eq!(fetched("Expired"), 1);
    assert_eq!(
        value("failures{cache_refresh_reason=NoCachedAccessToken,error_code=0,grant=client_credentials}"),
        1,
        "what the catalogue does not know is no series"
    );
    assert_eq!(value("herd{grant=client_credentials}"), 10 + 1 + 1, "nobody waits for a renewal ahead");
    assert_eq!(value("duration_in_http{status=200}"), 3);
    assert_eq!(value("duration_in_http{status=400}"), 1);
    assert_eq!(value("remaining_life{token_source=IdentityProvider}"), 3 * 3600);
    assert_eq!(value("total_duration{grant=client_credentials,token_source=IdentityProvider}"), 3);
    assert!(series.keys().all(|name| !name.contains("stranger") && !name.contains("made_up")));
}
