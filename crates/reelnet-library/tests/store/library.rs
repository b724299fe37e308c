//! A store with a few files and a model, as the other tests need it.

use std::collections::HashMap;
use std::future::Future;
use std::path::Path;

use half::f16;
use reelnet_library::Store;
use reelnet_library::process::Owner;
use reelnet_library::spans::{ReadingSettings, WindowScores};
use reelnet_library::store::{Change, JobEnd, JobResult, Lease, LeaseWish, MediaFacts, ModelRow, NewModel, Queue};
use reelnet_library::windows::{Look, Window, WindowSettings};

pub(crate) const LABELS: [&str; 4] = ["Eskimo dog", "seashore", "hotdog", "tabby cat"];

pub(crate) struct Library {
    pub(crate) store: Store,
    pub(crate) model: ModelRow,
    _folder: tempfile::TempDir,
}

/// Runs a test to its end.
pub(crate) fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(test);
}

pub(crate) fn new_model(name: &str) -> NewModel {
    NewModel {
        name: name.to_owned(),
        sha256: format!("{name}{}", "0".repeat(60)),
        precision: "f32".to_owned(),
        windows: WindowSettings::default(),
        labels: LABELS.map(str::to_owned).to_vec(),
        reading: ReadingSettings::default(),
    }
}

/// A library in a file, with this many files in one folder.
pub(crate) async fn library(files: usize) -> Library {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::create_or_open(&folder.path().join("library.db").display().to_string()).await.expect("a store");
    filled(store, folder, files).await
}

pub(crate) async fn filled(store: Store, folder: tempfile::TempDir, files: usize) -> Library {
    let root = store.add_root(Path::new("/videos")).await.expect("a root");
    let changes: Vec<Change> = (0..files).map(|file| put(&format!("{file}.mp4"), &hash(file), file)).collect();
    store.apply_folder(root.id, "trips/sea", Some(1), &changes).await.expect("files");
    let model = store.register_model(&new_model("tiny")).await.expect("a model");
    store.queue_missing(model.id).await.expect("jobs");
    Library { store, model, _folder: folder }
}

pub(crate) fn hash(file: usize) -> String {
    format!("s{file:032x}")
}

pub(crate) fn put(name: &str, hash: &str, second: usize) -> Change {
    let modified_ns = i64::try_from(second).expect("a small number") * 1_000_000_000;
    Change::Put { name: name.to_owned(), hash: hash.to_owned(), bytes: 1000, modified_ns, version: String::new() }
}

impl Library {
    pub(crate) fn wish(&self, count: u32) -> LeaseWish {
        LeaseWish { model: self.model.id, count, seconds: 60.0, shard: (0, 1), queue: Queue::NewestFirst }
    }

    pub(crate) async fn lease(&self, count: u32) -> Vec<Lease> {
        self.store.lease(&Owner::this(), &self.wish(count)).await.expect("leases")
    }

    /// Ends jobs, all with the same probabilities of the first label by window.
    pub(crate) async fn score(&self, leases: &[Lease], probabilities: &[f32]) -> u64 {
        let results: Vec<JobResult> = leases.iter().map(|lease| result(lease, scored(probabilities))).collect();
        self.write(&results).await
    }

    pub(crate) async fn write(&self, results: &[JobResult]) -> u64 {
        let labels: HashMap<String, i64> = self.store.label_ids().await.expect("labels");
        self.store.write_results(&self.model, &labels, results).await.expect("results").written
    }
}

pub(crate) fn result(lease: &Lease, end: JobEnd) -> JobResult {
    JobResult { job: lease.job, token: lease.token, video: lease.video, end, work_seconds: 0.5 }
}

/// Windows of five seconds in which the first label, or else the second, is to be seen.
pub(crate) fn scored(probabilities: &[f32]) -> JobEnd {
    let windows = (0..probabilities.len())
        .map(|row| Window { start: row as f64 * 5.0, end: row as f64 * 5.0 + 5.0, look: Look::Row(row) })
        .collect();
    let logits =
        probabilities.iter().flat_map(|p| [(p / (1.0 - p)).ln(), 0.0, -20.0, -20.0].map(f16::from_f32)).collect();
    let media =
        MediaFacts { duration: probabilities.len() as f64 * 5.0, codec: "h264".to_owned(), width: 320, height: 240 };
    JobEnd::Scored { scores: WindowScores { windows, logits, classes: LABELS.len() }, media, damage: None }
}
