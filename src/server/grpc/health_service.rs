//! `grpc.health.v1`: whether the server can separate.

use std::sync::Arc;
use std::time::Duration;

use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::server::HealthReporter;

use crate::proto::separation_service_server::SeparationServiceServer;
use crate::separation::Separations;
use crate::server::blocking;

/// Interval at which the health of engines and data folder is read.
const ROUNDS: Duration = Duration::from_secs(1);

/// Updates the status of the health service.
#[derive(Clone)]
pub(crate) struct Reporter {
    inner: HealthReporter,
}

/// Whether sessions can be stored and computed.
async fn works(separations: &Arc<Separations>) -> bool {
    let separations = Arc::clone(separations);
    let check =
        move || separations.chain().fault().is_none() && separations.check_storage().is_ok();
    // A task that panicked has established nothing.
    blocking::run(check).await.unwrap_or(false)
}

type Service = SeparationServiceServer<super::Calls>;

/// The health service, initially SERVING for the server and for `SeparationService`.
pub(crate) async fn service() -> (Reporter, HealthServer<impl Health>) {
    let (inner, service) = tonic_health::server::health_reporter();
    inner.set_serving::<Service>().await;
    inner.set_service_status("", ServingStatus::Serving).await;
    (Reporter { inner }, service)
}

impl Reporter {
    /// Reports SERVING while at least one engine is healthy and sessions can be stored, else NOT_SERVING, until the task is
    /// aborted.
    pub(crate) async fn follow(self, separations: Arc<Separations>) {
        let mut reported = true;
        loop {
            let works = works(&separations).await;
            if works && !reported {
                self.inner.set_serving::<Service>().await;
                self.inner.set_service_status("", ServingStatus::Serving).await;
            } else if !works && reported {
                self.not_serving().await;
            }
            reported = works;
            tokio::time::sleep(ROUNDS).await;
        }
    }

    /// Reports NOT_SERVING for both.
    pub(crate) async fn not_serving(&self) {
        self.inner.set_not_serving::<Service>().await;
        self.inner.set_service_status("", ServingStatus::NotServing).await;
    }
}
