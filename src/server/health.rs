//! `grpc.health.v1`: whether the server takes work.

use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::server::HealthReporter;

use crate::wire::separation_service_server::SeparationServiceServer;

/// Tells the health service where the server stands.
pub(super) struct Reporter {
    inner: HealthReporter,
}

type Service = SeparationServiceServer<super::grpc::Calls>;

/// The health service, which says SERVING of the server and of its service.
pub(super) async fn service() -> (Reporter, HealthServer<impl Health>) {
    let (inner, service) = tonic_health::server::health_reporter();
    inner.set_serving::<Service>().await;
    inner.set_service_status("", ServingStatus::Serving).await;
    (Reporter { inner }, service)
}

impl Reporter {
    /// Says NOT_SERVING of both.
    pub(super) async fn not_serving(&self) {
        self.inner.set_not_serving::<Service>().await;
        self.inner.set_service_status("", ServingStatus::NotServing).await;
    }
}
