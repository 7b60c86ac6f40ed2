//! The models that the gateways of a cluster serve, as they announce them to workers: by their cards, which have the hashes of all
//! files. What is announced is authenticated by the secret of the cluster, not by NATS or the object store.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::ClusterSecret;
use super::bucket_entry::EntryBucket;
use super::nats::{Nats, NatsCallError, NatsError};
use crate::model::registry::PublishedModel;
use crate::model::registry::stored::ModelToInstall;
use crate::model::{Model, ModelCard, ModelName, Sha256Hash};

const BUCKET: EntryBucket = EntryBucket {
    name: "stemwire_models",
    description: "What models the gateways of Stemwire serve",
    failure: "workers do not learn which models this gateway serves",
};

/// What the tag of an announcement is for.
const PURPOSE: &str = "stemwire models";

/// A model of a gateway.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct ServedModel {
    /// Whether it is a published one: its card and its graph are those of the binary.
    is_published: bool,
    /// Its card, as TOML.
    card: String,
}

/// An entry of the bucket.
#[derive(Debug, Serialize, Deserialize)]
struct Announcement {
    /// The models, as JSON.
    models: String,
    /// By which gateways with the same secret are recognised; `None` if all parts are on one machine and there is no secret.
    tag: Option<String>,
}

/// Why an announcement, or a model in it, is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum AnnouncementFault {
    #[error("it is of another version")]
    Unreadable,
    #[error("it is not made with the secret of the cluster")]
    WrongSecret,
    #[error("{0}")]
    BadCard(String),
    #[error("this version has other weights of the published model {0}")]
    OtherWeights(ModelName),
}

/// What gateways announce.
#[derive(Debug)]
pub(super) struct ServedModels {
    /// Their models, each once.
    pub(super) models: Vec<ModelToInstall>,
    /// What is not taken.
    pub(super) faults: Vec<AnnouncementFault>,
}

/// Announces the models of a gateway, except those that are part of the binary, as long as the connection is there.
pub fn announce_models<'a>(
    nats: &Nats,
    secret: Option<&ClusterSecret>,
    models: impl Iterator<Item = &'a Model>,
) {
    let mut served: Vec<_> = models.filter_map(ServedModel::of).collect();
    served.sort();
    let value = announcement(secret, &served);
    // Gateways that serve the same write the same entry.
    let key = Sha256Hash::of(&value).to_string();
    let (never, stopped) = watch::channel(false);
    let keeping = BUCKET.keep(nats, key, move || value.clone(), stopped);
    nats.spawn(async move {
        keeping.await;
        drop(never);
    });
}

/// The models that gateways with this secret serve. Not for threads that run asynchronous tasks.
///
/// # Errors
/// [`NatsError::Bucket`]: there is no answer.
pub(super) fn served_models(
    nats: &Nats,
    secret: Option<&ClusterSecret>,
) -> Result<ServedModels, NatsError> {
    let entries = async {
        let bucket = BUCKET.open(nats.jetstream(), nats.is_clustered()).await?;
        let mut keys = bucket.keys().await.map_err(NatsCallError::of)?;
        let mut entries = Vec::new();
        while let Some(key) = keys.next().await {
            let key = key.map_err(NatsCallError::of)?;
            entries.extend(bucket.get(key).await.map_err(NatsCallError::of)?);
        }
        Ok(entries)
    };
    let failed = |NatsCallError(problem)| NatsError::Bucket { bucket: BUCKET.name.into(), problem };
    let entries = nats.wait(entries).flatten().map_err(failed)?;
    let (mut served, mut faults) = (Vec::new(), Vec::new());
    for entry in entries {
        match announced(secret, &entry) {
            Ok(models) => served.extend(models),
            Err(fault) => faults.push(fault),
        }
    }
    served.sort();
    served.dedup();
    let mut models = Vec::new();
    for model in served {
        match model.to_install() {
            Ok(model) => models.push(model),
            Err(fault) => faults.push(fault),
        }
    }
    Ok(ServedModels { models, faults })
}

fn announcement(secret: Option<&ClusterSecret>, served: &[ServedModel]) -> Vec<u8> {
    // Strings and truth values can be written.
    let models = serde_json::to_string(served).unwrap_or_default();
    let tag = secret.map(|secret| STANDARD.encode(secret.tag(PURPOSE, models.as_bytes())));
    serde_json::to_vec(&Announcement { models, tag }).unwrap_or_default()
}

fn announced(
    secret: Option<&ClusterSecret>,
    entry: &[u8],
) -> Result<Vec<ServedModel>, AnnouncementFault> {
    let unreadable = |_| AnnouncementFault::Unreadable;
    let Announcement { models, tag } = serde_json::from_slice(entry).map_err(unreadable)?;
    let tag = tag.and_then(|tag| STANDARD.decode(tag).ok());
    let is_of_cluster = match (secret, tag) {
        (Some(secret), Some(tag)) => secret.has_tagged(PURPOSE, models.as_bytes(), &tag),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    if !is_of_cluster {
        return Err(AnnouncementFault::WrongSecret);
    }
    serde_json::from_str(&models).map_err(unreadable)
}

impl ServedModel {
    /// `None` for a model that every binary has, and for ensembles.
    fn of(model: &Model) -> Option<ServedModel> {
        model.folder()?;
        let card = model.card().to_toml().ok()?;
        Some(ServedModel { is_published: model.is_published(), card })
    }

    /// The model, with the hashes of its files.
    fn to_install(&self) -> Result<ModelToInstall, AnnouncementFault> {
        let card = ModelCard::parse(&self.card, "of a gateway");
        let card = card.map_err(|error| AnnouncementFault::BadCard(error.to_string()))?;
        if !self.is_published {
            return Ok(ModelToInstall::Own(Box::new(card)));
        }
        let published = PublishedModel::find(card.name.as_str()).ok();
        let published = published.filter(|published| published.card.weights == card.weights);
        let published = published.ok_or(AnnouncementFault::OtherWeights(card.name))?;
        Ok(ModelToInstall::Published(Box::new(published)))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn secret(digit: &str) -> ClusterSecret {
        ClusterSecret::new(&digit.repeat(32)).unwrap()
    }

    fn served() -> Vec<ServedModel> {
        let published = PublishedModel::find("htdemucs").unwrap();
        let card = ModelCard { name: "own".parse().unwrap(), ..published.card.clone() };
        let models = Path::new("models");
        let both = [
            Model::published(published.card.clone(), published.graph, models),
            Model::with_card(card, models),
        ];
        both.iter().filter_map(ServedModel::of).collect()
    }

    #[test]
    fn only_what_a_gateway_with_the_secret_has_announced_is_taken() {
        let (one, other) = (secret("1"), secret("2"));
        let check = |by: Option<&ClusterSecret>, at: Option<&ClusterSecret>, is_taken: bool| {
            let taken = announced(at, &announcement(by, &served()));
            let expected = is_taken.then(served).ok_or(AnnouncementFault::WrongSecret);
            assert_eq!(taken, expected);
        };
        check(Some(&one), Some(&one), true);
        check(Some(&one), Some(&other), false);
        check(None, Some(&one), false);
        check(Some(&one), None, false);
        check(None, None, true);
        let changed = String::from_utf8(announcement(Some(&one), &served())).unwrap();
        let changed = changed.replace("own", "two");
        assert_eq!(announced(Some(&one), changed.as_bytes()), Err(AnnouncementFault::WrongSecret));
        assert_eq!(announced(Some(&one), b"{}"), Err(AnnouncementFault::Unreadable));
    }

    #[test]
    fn a_published_model_is_the_one_of_this_binary() {
        let served = served();
        let models: Vec<_> = served.iter().map(|model| model.to_install().unwrap()).collect();
        assert!(matches!(&models[..], [ModelToInstall::Published(_), ModelToInstall::Own(_)]));
        // A card of other weights under a published name is none.
        let hash = PublishedModel::find("htdemucs").unwrap().card.weights_hash().to_string();
        let card = served[0].card.replace(&hash, &Sha256Hash::of(b"").to_string());
        assert_ne!(card, served[0].card);
        let other = ServedModel { card, ..served[0].clone() }.to_install();
        assert!(matches!(other, Err(AnnouncementFault::OtherWeights(_))), "{other:?}");
        assert_eq!(Model::embedded("", b"", b"").ok().as_ref().and_then(ServedModel::of), None);
    }
}
