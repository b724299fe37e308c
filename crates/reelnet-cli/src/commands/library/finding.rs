//! `reelnet library search`, `show` and `labels`.

use std::io::{Write as _, stdout};

use reelnet_infer::groups;
use reelnet_library::Store;
use reelnet_library::query::Query;
use reelnet_library::spans::Tag;
use reelnet_library::store::{SearchWish, added_labels};

use super::{clock, model, named, println_json, shown};
use crate::args::{LabelsArgs, SearchArgs, ShowArgs};
use crate::exit::Outcome;
use crate::output::{Align, Columns, say};

/// Spans of a label that are listed in a line.
const SPANS: usize = 6;

pub(super) async fn search(store: &Store, args: &SearchArgs) -> anyhow::Result<Outcome> {
    let query = Query::parse(&args.query.join(" "))?;
    let model = model(store, args.by.as_deref()).await?;
    let wish = SearchWish {
        after: args.after,
        before: args.before,
        min_score: f64::from(args.min_score),
        path: args.path.clone(),
        with_gone: args.gone,
        offset: args.offset,
        limit: args.limit,
    };
    let page = store.search(&model, Some(&query), &wish).await?;
    let mut out = stdout().lock();
    if args.json {
        for hit in &page.hits {
            serde_json::to_writer(&mut out, hit)?;
            writeln!(out)?;
        }
        return Ok(Outcome::Done);
    }
    let mut rows = vec![["FILE", "SCORE", "LABEL", "WHEN"].map(str::to_owned).to_vec()];
    for hit in &page.hits {
        let mut path = shown(&hit.file.path);
        for tag in &hit.found {
            rows.push(vec![std::mem::take(&mut path), format!("{:.2}", tag.score), tag.label.clone(), times(tag)]);
        }
        if hit.found.is_empty() {
            rows.push(vec![path, "-".to_owned(), "-".to_owned(), String::new()]);
        }
    }
    let columns = Columns::fitting(&[Align::Left, Align::Right, Align::Left, Align::Left], &rows);
    for row in &rows {
        writeln!(out, "{}", columns.row(row))?;
    }
    say(format_args!("{} of {} files", page.hits.len(), page.total));
    Ok(Outcome::Done)
}

/// When a label is to be seen.
fn times(tag: &Tag) -> String {
    let mut times: Vec<String> =
        tag.spans.iter().take(SPANS).map(|span| format!("{}-{}", clock(span.start), clock(span.end))).collect();
    if tag.spans.len() > SPANS {
        times.push(format!("and {} more", tag.spans.len() - SPANS));
    }
    times.join(", ")
}

pub(super) async fn show(store: &Store, args: &ShowArgs) -> anyhow::Result<Outcome> {
    // As the library prints it, or as a person writes it.
    let video = match store.find_file(&args.file).await {
        Ok(video) => video,
        Err(_) => store.find_file(&named(&args.file)?).await?,
    };
    let file = store.details(video).await?;
    if args.json {
        println_json(&file.to_json())?;
        return Ok(Outcome::Done);
    }
    let mut out = stdout().lock();
    for place in &file.places {
        writeln!(out, "{}{}", shown(&place.path), if place.is_gone { "  (gone)" } else { "" })?;
    }
    if let Some((duration, codec, [width, height])) = &file.media {
        writeln!(out, "{}, {codec}, {width}x{height}", clock(*duration))?;
    }
    for by in &file.models {
        let reason = by.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        writeln!(out, "{}: {}{reason}", by.model.shown(), by.state.name())?;
        for tag in &by.tags {
            writeln!(out, "  {:.2}  {}  {}", tag.score, tag.label, times(tag))?;
        }
    }
    for (label, spans) in added_labels(&file.corrections) {
        let spans: Vec<String> =
            spans.iter().map(|(start, end)| format!("{}-{}", clock(*start), clock(*end))).collect();
        writeln!(out, "a person: {label}  {}", spans.join(", "))?;
    }
    Ok(Outcome::Done)
}

/// `reelnet library labels --groups`: of no library in particular.
pub(super) fn groups(args: &LabelsArgs) -> anyhow::Result<Outcome> {
    let words: Vec<&str> = groups::groups().collect();
    if args.json {
        println_json(&words)?;
    } else {
        writeln!(stdout().lock(), "{}", words.join("\n"))?;
    }
    Ok(Outcome::Done)
}

pub(super) async fn labels(store: &Store, args: &LabelsArgs) -> anyhow::Result<Outcome> {
    let model = model(store, args.by.as_deref()).await?;
    let facets = store.facets(&model, args.limit).await?;
    if args.json {
        println_json(&facets)?;
        return Ok(Outcome::Done);
    }
    let rows: Vec<Vec<String>> =
        facets.iter().map(|facet| vec![facet.files.to_string(), facet.label.clone()]).collect();
    let columns = Columns::fitting(&[Align::Right, Align::Left], &rows);
    let mut out = stdout().lock();
    for row in &rows {
        writeln!(out, "{}", columns.row(row))?;
    }
    Ok(Outcome::Done)
}
