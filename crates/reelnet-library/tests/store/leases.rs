//! Leases: whoever has one may write, once.

use reelnet_library::Store;
use reelnet_library::process::Owner;
use reelnet_library::store::{Change, LeaseWish, Queue, Retried};

use crate::library::{hash, library, new_model, put, result, run, scored};

#[test]
fn newest_first_or_oldest_first_and_by_shard() {
    run(async {
        let library = library(20).await;
        let videos = async |wish: LeaseWish| {
            let leases = library.store.lease(&Owner::this(), &wish).await.expect("leases");
            let given: Vec<(i64, i64)> = leases.iter().map(|lease| (lease.job, lease.token)).collect();
            library.store.release(&given).await.expect("given back");
            assert!(leases.iter().all(|lease| lease.attempt == 1), "what was given back was not tried");
            let mut videos: Vec<i64> = leases.iter().map(|lease| lease.video).collect();
            videos.sort_unstable();
            videos
        };
        assert_eq!(videos(library.wish(2)).await, [19, 20]);
        assert_eq!(videos(LeaseWish { queue: Queue::OldestFirst, ..library.wish(2) }).await, [1, 2]);
        let mut all = Vec::new();
        for shard in 0..3 {
            all.extend(videos(LeaseWish { shard: (shard, 3), ..library.wish(20) }).await);
        }
        all.sort_unstable();
        assert_eq!(all, (1..=20).collect::<Vec<i64>>());
    });
}

#[test]
fn nothing_is_leased_twice_and_late_workers_write_nothing() {
    run(async {
        let library = library(3).await;
        let first = library.lease(2).await;
        let second = library.lease(2).await;
        assert_eq!((first.len(), second.len()), (2, 1));
        assert!(first.iter().all(|lease| lease.video != second[0].video));

        // A worker that fell silent: its lease is over, and another one has the file.
        let short = LeaseWish { seconds: -1.0, ..library.wish(1) };
        let given: Vec<(i64, i64)> = second.iter().map(|lease| (lease.job, lease.token)).collect();
        library.store.release(&given).await.expect("given back");
        let late = library.store.lease(&Owner::this(), &short).await.expect("a lease");
        let now = library.lease(1).await;
        assert_eq!((late[0].job, now[0].job), (second[0].job, second[0].job));
        assert_eq!(now[0].attempt, 2);
        assert_eq!(library.store.renew(&[(late[0].job, late[0].token)], 60.0).await.expect("asked"), [late[0].job]);
        assert_eq!(library.write(&[result(&late[0], scored(&[0.9]))]).await, 0);
        assert_eq!(library.write(&[result(&now[0], scored(&[0.1]))]).await, 1);
        assert_eq!(library.write(&[result(&now[0], scored(&[0.9]))]).await, 0, "once");
        let well = library.store.check().await.expect("checked");
        assert!(well.iter().all(|finding| finding.is_well), "{well:?}");
    });
}

#[test]
fn the_files_of_the_dead_go_to_others_at_once_and_not_for_ever() {
    run(async {
        let library = library(1).await;
        let this = Owner::this().to_text();
        let mut parts: Vec<&str> = this.split('|').collect();
        parts[3] = "2147483647";
        let dead = Owner::parse(&parts.join("|")).expect("an owner");
        for attempt in 1..=3 {
            let leases = library.store.lease(&dead, &library.wish(1)).await.expect("a lease");
            assert_eq!(leases.iter().map(|lease| lease.attempt).collect::<Vec<_>>(), [attempt]);
        }
        assert!(library.lease(1).await.is_empty());
        let status = library.store.status().await.expect("a status");
        assert_eq!(status.models[0].failures[0].kind, "worker_lost");
        // An earlier boot of this machine.
        library.store.retry(&Retried::default()).await.expect("retried");
        parts[1] = "another-boot";
        let gone = Owner::parse(&parts.join("|")).expect("an owner");
        assert_eq!(library.store.lease(&gone, &library.wish(1)).await.expect("a lease").len(), 1);
        assert_eq!(library.lease(1).await.len(), 1);
    });
}

#[test]
fn models_stand_side_by_side() {
    run(async {
        let library = library(2).await;
        let leases = library.lease(2).await;
        library.score(&leases, &[0.9]).await;
        let other = library.store.register_model(&new_model("other")).await.expect("a model");
        assert_ne!(other.id, library.model.id);
        assert_eq!(library.store.queue_missing(other.id).await.expect("jobs"), 2);
        assert_eq!(library.store.queue_missing(library.model.id).await.expect("jobs"), 0);
        assert_eq!(library.store.register_model(&new_model("other")).await.expect("the same").id, other.id);
        assert_eq!(library.store.pending(other.id, (0, 1)).await.expect("counts"), (2, 0));
        assert_eq!(library.store.find_model(Some("tiny")).await.expect("a model").id, library.model.id);
        assert!(library.store.find_model(Some("nothing")).await.is_err());
        library.store.forget_model(other.id).await.expect("forgotten");
        assert_eq!(library.store.pending(other.id, (0, 1)).await.expect("counts"), (0, 0));
    });
}

#[test]
fn copies_moves_and_what_is_gone() {
    run(async {
        let library = library(2).await;
        let store = &library.store;
        let root = store.roots().await.expect("roots")[0].clone();
        // A copy is the same video with two paths; the first path goes, and it is a move.
        let applied =
            store.apply_folder(root.id, "copies", Some(1), &[put("copy.mp4", &hash(0), 0)]).await.expect("applied");
        assert_eq!((applied.known_contents, applied.new_contents), (1, 0));
        let folder = store.folders(root.id).await.expect("folders")["trips/sea"];
        let files = store.folder_files(folder.id).await.expect("files");
        let gone = |name: &str| Change::Gone(files[name].clone());
        store.apply_folder(root.id, "trips/sea", Some(2), &[gone("0.mp4"), gone("1.mp4")]).await.expect("applied");
        let leases = library.lease(9).await;
        assert_eq!(leases.len(), 1, "what is gone is not worked on");
        assert!(leases[0].path().is_some_and(|path| path.ends_with("copies/copy.mp4")));
        library.score(&leases, &[0.9]).await;
        assert_eq!(store.status().await.expect("a status").gone, 1);
        let forgotten = store.forget_gone().await.expect("forgotten");
        assert_eq!((forgotten.paths, forgotten.files), (2, 1));
        assert!(store.check().await.expect("checked").iter().all(|finding| finding.is_well));
        store.forget_root(&root.path).await.expect("forgotten");
        assert_eq!(store.status().await.expect("a status").files, 0);
    });
}

#[test]
fn a_newer_store_is_refused_in_one_line() {
    run(async {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = folder.path().join("a b/ü.db").display().to_string();
        assert!(Store::open(&place).await.is_err(), "there is none");
        let store = Store::create_or_open(&place).await.expect("a store");
        store.close().await;
        assert!(Store::open(&place).await.is_ok());
        let status = std::process::Command::new("python3")
            .args(["-c", "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(\"UPDATE meta SET value = '99' WHERE key = 'schema'\"); c.commit()", &place])
            .status();
        let Ok(status) = status else { return };
        assert!(status.success());
        let error = Store::open(&place).await.expect_err("it is newer");
        assert_eq!(
            error.to_string(),
            "the library has schema 99, and this reelnet knows schemas up to 3; use the newer reelnet"
        );
        assert_eq!(Queue::default(), Queue::NewestFirst);
    });
}
