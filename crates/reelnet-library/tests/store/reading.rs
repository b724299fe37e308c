//! Search, pages, corrections and settings: everything that is read from stored scores.

use reelnet_library::query::Query;
use reelnet_library::spans::ReadingSettings;
use reelnet_library::store::{
    FileState, JobEnd, MayPass, NewCorrection, PageCursor, PageWish, Retried, SearchWish, Verdict,
};

use crate::library::{Library, library, result, run};

async fn found(library: &Library, query: &str, wish: &SearchWish) -> Vec<i64> {
    let model = library.store.model(library.model.id).await.expect("a model");
    let query = Query::parse(query).expect("a query");
    let wish = SearchWish { limit: 100, ..wish.clone() };
    let page = library.store.search(&model, Some(&query), &wish).await.expect("a page");
    assert_eq!(page.total, page.hits.len() as u64);
    page.hits.iter().map(|hit| hit.file.video).collect()
}

/// Files 1 to 3: a dog, the sea, first a dog and then the sea.
async fn three() -> Library {
    let library = library(3).await;
    let leases = library.lease(3).await;
    for lease in &leases {
        let probabilities: &[f32] = match lease.video {
            1 => &[0.95, 0.95],
            2 => &[0.1, 0.1],
            _ => &[0.9, 0.05],
        };
        assert_eq!(library.score(std::slice::from_ref(lease), probabilities).await, 1);
    }
    library
}

#[test]
fn queries_find_files_and_times() {
    run(async {
        let library = three().await;
        let any = SearchWish::default();
        assert_eq!(found(&library, "dog", &any).await, [1, 3], "the surest first");
        assert_eq!(found(&library, "seashore", &any).await, [3, 2]);
        assert_eq!(found(&library, "dog AND seashore", &any).await, [3]);
        assert_eq!(found(&library, "dog NOT seashore", &any).await, [1]);
        assert_eq!(found(&library, "eskimo OR sea*", &any).await.len(), 3);
        assert_eq!(found(&library, "NOT dog", &any).await, [2]);
        assert_eq!(found(&library, "dog", &SearchWish { min_score: 0.93, ..any.clone() }).await, [1]);
        assert_eq!(found(&library, "dog", &SearchWish { after: Some(1.0), ..any.clone() }).await, [3]);
        assert_eq!(found(&library, "dog", &SearchWish { before: Some(1.0), ..any.clone() }).await, [1]);
        assert_eq!(
            found(&library, "dog", &SearchWish { path: Some("TRIPS".to_owned()), ..any.clone() }).await.len(),
            2
        );
        assert!(found(&library, "dog", &SearchWish { path: Some("tr%s".to_owned()), ..any.clone() }).await.is_empty());

        let model = &library.model;
        let query = Query::parse("dog").expect("a query");
        let page = library.store.search(model, Some(&query), &SearchWish { limit: 1, ..any }).await.expect("a page");
        assert_eq!((page.total, page.hits.len()), (2, 1));
        let span = page.hits[0].found[0].spans[0];
        assert_eq!((span.start, span.end, page.hits[0].found[0].label.as_str()), (0.0, 10.0, "Eskimo dog"));

        let unknown = Query::parse("seashroe").expect("a query");
        let error =
            library.store.search(model, Some(&unknown), &SearchWish::default()).await.expect_err("no such label");
        assert_eq!(error.to_string(), "no label is called `seashroe`; did you mean `seashore`?");
        let facets = library.store.facets(model, 10).await.expect("facets");
        assert_eq!(
            facets.iter().map(|facet| (facet.label.as_str(), facet.files)).collect::<Vec<_>>(),
            [("Eskimo dog", 2), ("seashore", 2)]
        );
    });
}

#[test]
fn another_threshold_is_another_reading_of_the_same_scores() {
    run(async {
        let library = three().await;
        let any = SearchWish::default();
        let strict = ReadingSettings { threshold: 0.93, ..ReadingSettings::default() };
        assert_eq!(library.store.reread(library.model.id, &strict, |_| {}).await.expect("read"), 3);
        assert_eq!(found(&library, "dog", &any).await, [1]);
        let model = library.store.model(library.model.id).await.expect("a model");
        assert!(model.is_read && model.reading == strict);
        let states = |state| PageWish { state: Some(state), limit: 10, ..PageWish::default() };
        let page = library.store.page(&model, &states(FileState::NoTag)).await.expect("a page");
        assert_eq!(page.iter().map(|file| file.video).collect::<Vec<_>>(), [2], "0.9 of the sea is not sure enough");
        let wrong = ReadingSettings { threshold: 2.0, ..strict };
        assert!(library.store.reread(model.id, &wrong, |_| {}).await.is_err());
    });
}

#[test]
fn what_people_say_is_kept_apart_and_seen_everywhere() {
    run(async {
        let library = three().await;
        let (store, any) = (&library.store, SearchWish::default());
        let say = |video, label: &str, verdict, span| NewCorrection {
            video,
            label: label.to_owned(),
            verdict,
            span,
            author: "me".to_owned(),
            note: String::new(),
        };
        let removed = store.correct(&say(1, "Eskimo dog", Verdict::Removed, Some((0.0, 10.0)))).await.expect("kept");
        store.correct(&say(2, "picnic", Verdict::Added, Some((1.0, 2.0)))).await.expect("kept");
        assert_eq!(found(&library, "dog", &any).await, [3]);
        assert_eq!(found(&library, "picnic seashore", &any).await, [2]);
        let details = store.details(1).await.expect("a file");
        assert!(details.models[0].tags.is_empty() && details.models[0].scores.is_some());
        // Another reading does not bring back what a person took away.
        store.reread(library.model.id, &ReadingSettings::default(), |_| {}).await.expect("read");
        assert_eq!(found(&library, "dog", &any).await, [3]);
        store.withdraw(removed).await.expect("taken back");
        assert_eq!(found(&library, "dog", &any).await, [1, 3]);
        assert_eq!(store.all_corrections(0, 10).await.expect("all").len(), 1);
        assert!(store.correct(&say(99, "dog", Verdict::Added, None)).await.is_err());
        assert!(store.correct(&say(1, " ", Verdict::Added, None)).await.is_err());
        assert!(store.correct(&say(1, "dog", Verdict::Added, Some((5.0, 1.0)))).await.is_err());
    });
}

#[test]
fn pages_follow_one_another() {
    run(async {
        let library = library(25).await;
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page =
                library.store.page(&library.model, &PageWish { after, limit: 10, state: None }).await.expect("a page");
            let Some(last) = page.last() else { break };
            after = Some(PageCursor { modified: last.modified, video: last.video });
            seen.extend(page.iter().map(|file| file.video));
        }
        let newest_first: Vec<i64> = (1..=25).rev().collect();
        assert_eq!(seen, newest_first);
    });
}

#[test]
fn failures_have_reasons_and_can_be_tried_again() {
    run(async {
        let library = library(2).await;
        let failed = |may_pass| JobEnd::Failed { kind: "not_media".to_owned(), reason: "is text".to_owned(), may_pass };
        let leases = library.lease(1).await;
        library.write(&[result(&leases[0], failed(MayPass::No))]).await;
        // What may pass is tried three times.
        for attempt in 1..=3 {
            let leases = library.lease(5).await;
            assert_eq!(leases.iter().map(|lease| lease.attempt).collect::<Vec<_>>(), [attempt]);
            library.write(&[result(&leases[0], failed(MayPass::Yes))]).await;
        }
        assert!(library.lease(5).await.is_empty());
        let status = library.store.status().await.expect("a status");
        assert_eq!(status.models[0].counts[&FileState::Failed], 2);
        assert_eq!((status.models[0].failures[0].kind.as_str(), status.models[0].failures[0].files), ("not_media", 2));
        let failures = library
            .store
            .failures(library.model.id, &PageWish { limit: 9, ..PageWish::default() })
            .await
            .expect("failures");
        assert_eq!(failures.iter().map(|failure| failure.attempts).collect::<Vec<_>>(), [1, 3]);
        assert!(failures[0].path.ends_with("trips/sea/1.mp4"));
        assert_eq!(library.store.retry(&Retried::default()).await.expect("retried"), 2);
        assert_eq!(library.lease(5).await.len(), 2);
    });
}
