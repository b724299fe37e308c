//! A library that is made of rows: its state, searches, pages and the plan of a rescan are right, and how long they take.
//!
//! With `REELNET_ROWS=1000000` and `--nocapture` it is what `scripts/bench-library.sh` measures; `REELNET_ROWS_STORE` keeps the rows for
//! another time. Nothing is decoded: scores are drawn.

use std::collections::HashMap;
use std::error::Error;
use std::io::{Write as _, stdout};
use std::path::Path;
use std::time::Instant;

use half::f16;
use reelnet_library::Store;
use reelnet_library::process::Owner;
use reelnet_library::query::Query;
use reelnet_library::scan::{FoundFile, FoundFolder, plan};
use reelnet_library::spans::{ReadingSettings, WindowScores};
use reelnet_library::store::{
    Change, FileState, JobEnd, JobResult, LeaseWish, MediaFacts, ModelRow, NewModel, PageCursor, PageWish, Queue,
    SearchWish,
};
use reelnet_library::windows::{Look, Window, WindowSettings};

use crate::library::run;

const FILES_A_FOLDER: usize = 100;
const CLASSES: usize = 50;
const TURNS: usize = 5;

#[test]
fn a_library_of_rows_is_answered_for() {
    let files =
        std::env::var("REELNET_ROWS").ok().map_or(Ok(3000), |rows| rows.parse()).expect("REELNET_ROWS is a number");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let place =
        std::env::var("REELNET_ROWS_STORE").unwrap_or_else(|_| folder.path().join("rows.db").display().to_string());
    run(async {
        let store = Store::create_or_open(&place).await.expect("a store");
        let model = store.register_model(&model()).await.expect("a model");
        if store.status().await.expect("a status").files < files as u64 {
            fill(&store, &model, files).await.expect("rows");
        }
        measure(&store, &model, files).await.expect("answers");
        store.close().await;
    });
}

fn model() -> NewModel {
    NewModel {
        name: "drawn".to_owned(),
        sha256: "d".repeat(64),
        precision: "f32".to_owned(),
        windows: WindowSettings::default(),
        labels: (0..CLASSES).map(|class| format!("label {class}")).collect(),
        reading: ReadingSettings::default(),
    }
}

fn folder(number: usize, files: usize) -> FoundFolder {
    let range = number * FILES_A_FOLDER..((number + 1) * FILES_A_FOLDER).min(files);
    let file = |file: usize| FoundFile {
        name: format!("holiday {file:07}.mp4"),
        bytes: 1_000_000 + i64::try_from(file).unwrap_or(0),
        modified_ns: 1_700_000_000_000_000_000 + i64::try_from(file).unwrap_or(0) * 1_000_000_000,
        version: String::new(),
    };
    FoundFolder {
        path: format!("{}/{number:05}", number % 97),
        files: range.map(file).collect(),
        ..FoundFolder::default()
    }
}

async fn fill(store: &Store, model: &ModelRow, files: usize) -> Result<(), Box<dyn Error>> {
    let began = Instant::now();
    let root = store.add_root(Path::new("/made/rows")).await?;
    for number in 0..files.div_ceil(FILES_A_FOLDER) {
        let found = folder(number, files);
        let put = |file: &FoundFile| Change::Put {
            name: file.name.clone(),
            hash: format!(
                "b{:032x}",
                u128::from(file.bytes.unsigned_abs()).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
            ),
            bytes: file.bytes,
            modified_ns: file.modified_ns,
            version: String::new(),
        };
        let changes: Vec<Change> = found.files.iter().map(put).collect();
        store.apply_folder(root.id, &found.path, Some(found.digest()), &changes).await?;
    }
    writeln!(stdout(), "scanned  {files} files in {:.1} s", began.elapsed().as_secs_f64())?;
    let began = Instant::now();
    store.queue_missing(model.id).await?;
    writeln!(stdout(), "queued   in {:.1} s", began.elapsed().as_secs_f64())?;
    let began = Instant::now();
    let labels = store.label_ids().await?;
    let wish = LeaseWish { model: model.id, count: 1000, seconds: 600.0, shard: (0, 1), queue: Queue::NewestFirst };
    loop {
        let leases = store.lease(&Owner::this(), &wish).await?;
        if leases.is_empty() {
            break;
        }
        let results: Vec<JobResult> = leases
            .iter()
            .map(|lease| JobResult {
                job: lease.job,
                token: lease.token,
                video: lease.video,
                end: drawn(lease.video),
                work_seconds: 1.0,
            })
            .collect();
        store.write_results(model, &labels, &results).await?;
    }
    writeln!(stdout(), "scored   in {:.1} s", began.elapsed().as_secs_f64())?;
    Ok(())
}

/// A window of two sure labels of fifty; one file in a thousand failed.
fn drawn(video: i64) -> JobEnd {
    if video % 1000 == 0 {
        let may_pass = reelnet_library::store::MayPass::No;
        return JobEnd::Failed { kind: "not_media".to_owned(), reason: "is drawn so".to_owned(), may_pass };
    }
    let number = usize::try_from(video).unwrap_or(0);
    let mut logits = vec![f16::from_f32(-10.0); CLASSES];
    // The first labels are in many files, the last ones in few.
    for class in [number % CLASSES, (number * number / 7) % (1 + number % CLASSES)] {
        logits[class] = f16::from_f32(5.0 + (number % 10) as f32 / 10.0);
    }
    let windows = vec![Window { start: 0.0, end: 5.0, look: Look::Row(0) }];
    let media = MediaFacts { duration: 5.0, codec: "h264".to_owned(), width: 1920, height: 1080 };
    JobEnd::Scored { scores: WindowScores { windows, logits, classes: CLASSES }, media, damage: None }
}

async fn measure(store: &Store, model: &ModelRow, files: usize) -> Result<(), Box<dyn Error>> {
    let mut times: HashMap<String, Vec<f64>> = HashMap::new();
    let mut order = Vec::new();
    for _ in 0..TURNS {
        let mut note = |what: &str, began: Instant| {
            if !times.contains_key(what) {
                order.push(what.to_owned());
            }
            times.entry(what.to_owned()).or_default().push(began.elapsed().as_secs_f64());
        };
        let began = Instant::now();
        let status = store.status().await?;
        note("status", began);
        assert_eq!(status.files, files as u64);
        let wish = SearchWish { limit: 50, ..SearchWish::default() };
        for (what, text, wish) in [
            ("search, two common labels", "\"label 0\" AND \"label 1\"", wish.clone()),
            ("search, one common label", "\"label 0\"", wish.clone()),
            ("search, rare and not", "\"label 49\" NOT (\"label 3\" OR \"label 5\")", wish.clone()),
            (
                "search, by score, time and path",
                "\"label 7\"",
                SearchWish {
                    min_score: 0.4,
                    after: Some(1_700_000_000.0 + files as f64 / 2.0),
                    path: Some("1/".to_owned()),
                    ..wish.clone()
                },
            ),
        ] {
            let query = Query::parse(text)?;
            let began = Instant::now();
            let page = store.search(model, Some(&query), &wish).await?;
            assert!(page.total > 0, "{what}");
            note(&format!("{what} ({} files)", page.total), began);
        }
        let began = Instant::now();
        store.facets(model, 100).await?;
        note("labels by number of files", began);
        let middle = Some(PageCursor { modified: 1_700_000_000.0 + files as f64 / 2.0, video: i64::MAX });
        for (what, state) in [("page in the middle", None), ("page of failures", Some(FileState::Failed))] {
            let began = Instant::now();
            let page = store.page(model, &PageWish { state, after: middle, limit: 100 }).await?;
            note(what, began);
            assert!(!page.is_empty() && page.is_sorted_by(|a, b| a.modified >= b.modified));
        }
        let found: Vec<FoundFolder> = (0..files.div_ceil(FILES_A_FOLDER)).map(|number| folder(number, files)).collect();
        let began = Instant::now();
        let root = store.roots().await?[0].clone();
        let known = store.folders(root.id).await?;
        let mut changed = 0;
        for folder in &found {
            let row = known.get(&folder.path).ok_or("a folder is missing")?;
            if row.digest != folder.digest() {
                changed += plan(folder, &store.folder_files(row.id).await?).hash.len();
            }
        }
        note("plan of a rescan", began);
        assert_eq!(changed, 0);
    }
    for what in order {
        let mut seconds = times.remove(&what).unwrap_or_default();
        seconds.sort_by(f64::total_cmp);
        writeln!(stdout(), "{what:50} best {:.3} s, median {:.3} s", seconds[0], seconds[seconds.len() / 2])?;
    }
    Ok(())
}
