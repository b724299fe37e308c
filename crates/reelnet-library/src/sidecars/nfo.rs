//! NFO files of Kodi, Jellyfin and Emby: one `<tag>` each. Which of them are ours, an element `<reelnet>` says: Kodi does not look at
//! it, and Jellyfin keeps elements that it does not know, but no comments.

use quick_xml::escape::escape;

use super::document::{Behind, Document, Edits, Element};
use super::reconciling::reconcile;
use super::{Merged, Refusal, Wish, clean, cleaned};

/// What a video may be.
const ROOTS: [&str; 4] = ["movie", "episodedetails", "musicvideo", "video"];
const RECORD: &str = "reelnet";

/// A sidecar with these tags, and with all that is in it already.
pub(super) fn merge(existing: Option<&str>, wish: &Wish<'_>) -> Result<Merged, Refusal> {
    let new = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<movie>\n  <title>{}</title>\n</movie>\n",
        escape(clean(wish.title))
    );
    let (mark, text) = match existing.unwrap_or(&new).strip_prefix('\u{feff}') {
        Some(text) => ("\u{feff}", text),
        None => ("", existing.unwrap_or(&new)),
    };
    let document = Document::parse(text, Behind::Text)?;
    let root = &document.root;
    check_root(root)?;
    let tags: Vec<(&Element, Option<String>)> =
        root.elements().filter(|child| child.is("", "tag")).map(|tag| (tag, tag.value())).collect();
    let records: Vec<&Element> = root.elements().filter(|child| child.is("", RECORD)).collect();
    let ours: Vec<String> = records.iter().flat_map(|record| record.elements()).filter_map(Element::value).collect();
    let present: Vec<String> = tags.iter().filter_map(|(_, value)| value.clone()).collect();
    let change = reconcile(&present, &ours, &cleaned(wish.labels, clean), wish.knowledge);

    let mut edits = Edits::default();
    for value in &change.take {
        if let Some((tag, _)) = tags.iter().find(|(_, own)| own.as_ref() == Some(value)) {
            edits.put(root.with_blanks(text, tag), String::new());
        }
    }
    let anchor = tags.last().map(|(tag, _)| *tag).or_else(|| root.elements().last());
    let line = anchor.map(|element| root.blanks_before(text, &element.range())).filter(|line| line.contains('\n'));
    let line = line.unwrap_or("\n  ");
    let element = |line: &str, value: &String| format!("{line}<tag>{}</tag>", escape(value.as_str()));
    let added: String = change.add.iter().map(|value| element(line, value)).collect();
    let mut record = String::new();
    if change.ours != ours {
        for record in &records {
            edits.put(root.with_blanks(text, record), String::new());
        }
        if !change.ours.is_empty() {
            let values: String = change.ours.iter().map(|value| element(&format!("{line}  "), value)).collect();
            record = format!("{line}<{RECORD}>{values}{line}</{RECORD}>");
        }
    }
    match (anchor, root.elements().last(), &root.closing) {
        (Some(anchor), Some(last), Some(_)) => {
            edits.put(anchor.range().end..anchor.range().end, added);
            edits.put(last.range().end..last.range().end, record);
        }
        (_, _, Some(_)) => edits.put(root.opening.end..root.opening.end, added + &record),
        (_, _, None) if added.is_empty() => {}
        (_, _, None) => {
            let opening = text[root.opening.clone()].trim_end_matches("/>").trim_end();
            edits.put(root.opening.clone(), format!("{opening}>{added}{record}\n</{}>", root.local));
        }
    }
    let changed = edits.applied(text);
    let merged = Merged { added: change.add, removed: change.take, left_out: change.left_out, ..Merged::default() };
    if changed == text {
        return Ok(merged);
    }
    // Nothing is written that could not be read.
    Document::parse(&changed, Behind::Text)?;
    Ok(Merged { text: Some(format!("{mark}{changed}")), ..merged })
}

fn check_root(root: &Element) -> Result<(), Refusal> {
    if !root.namespace.is_empty() || root.prefix.is_some() || !ROOTS.contains(&root.local.as_str()) {
        let expected = ROOTS.map(|root| format!("<{root}>")).join(", ");
        return Err(Refusal::other(&format!("the sidecar's root is <{}>, expected one of {expected}", root.local)));
    }
    let says = |name: &str| root.elements().filter(|child| child.is("", name)).find_map(Element::value);
    if says("lockdata").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Err(Refusal::locked("somebody locked it (lockdata)"));
    }
    let fields = says("lockedfields").unwrap_or_default();
    if fields.split('|').any(|field| field.trim().eq_ignore_ascii_case("tags")) {
        return Err(Refusal::locked("somebody locked its tags (lockedfields)"));
    }
    Ok(())
}
