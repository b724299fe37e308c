//! Merging, without a disk: what is foreign survives, and what is ours comes and goes.

use proptest::prelude::*;

use super::*;

const DIGIKAM: &str = include_str!("../../tests/sidecars/digikam.xmp");
const DARKTABLE: &str = include_str!("../../tests/sidecars/darktable.xmp");
const KODI: &str = include_str!("../../tests/sidecars/kodi.nfo");

fn labels(text: &[&str]) -> Vec<String> {
    text.iter().map(|label| (*label).to_owned()).collect()
}

fn merged(format: SidecarFormat, existing: Option<&str>, wanted: &[String], ours: &[String]) -> Merged {
    let wish = Wish { labels: wanted, parent: &[], knowledge: Knowledge::Whole, title: "A & B", ours };
    merge(format, existing.map(str::as_bytes), &wish).expect("a sidecar that can be changed")
}

/// The text afterwards.
fn put(format: SidecarFormat, existing: Option<&str>, wanted: &[&str]) -> String {
    let merged = merged(format, existing, &labels(wanted), &[]);
    merged.text.unwrap_or_else(|| existing.unwrap_or_default().to_owned())
}

fn refused(format: SidecarFormat, existing: &[u8]) -> Refusal {
    let wanted = labels(&["dog"]);
    let wish = Wish { labels: &wanted, parent: &[], knowledge: Knowledge::Whole, title: "", ours: &[] };
    merge(format, Some(existing), &wish).expect_err("a sidecar that is left alone")
}

#[test]
fn a_new_xmp_says_the_same_three_times() {
    let wanted = labels(&["Eskimo dog, husky", "R&B/<live>"]);
    let parent = labels(&["Auto Tags", "Video"]);
    let wish = Wish { labels: &wanted, parent: &parent, knowledge: Knowledge::Whole, title: "", ours: &[] };
    let text = merge(SidecarFormat::Xmp, None, &wish).expect("a sidecar").text.expect("a text");
    for line in [
        "<rdf:li>Auto Tags/Video/Eskimo dog, husky</rdf:li>",
        "<rdf:li>Auto Tags|Video|Eskimo dog, husky</rdf:li>",
        "<rdf:li>Eskimo dog, husky</rdf:li>",
        "<rdf:li>Auto Tags/Video/R&amp;B-&lt;live&gt;</rdf:li>",
    ] {
        assert_eq!(text.matches(line).count(), 2, "once in its list, once in the record: {line}\n{text}");
    }
    assert_eq!(merge(SidecarFormat::Xmp, Some(text.as_bytes()), &wish).expect("a sidecar").text, None, "again");
}

#[test]
fn nothing_to_say_makes_no_file() {
    for format in [SidecarFormat::Xmp, SidecarFormat::Nfo, SidecarFormat::Text] {
        assert_eq!(merged(format, None, &[], &[]), Merged::default(), "{format:?}");
    }
}

#[test]
fn what_other_programs_wrote_survives_and_ours_goes_without_a_trace() {
    for (format, before) in [
        (SidecarFormat::Xmp, DIGIKAM.to_owned()),
        (SidecarFormat::Xmp, DARKTABLE.to_owned()),
        (SidecarFormat::Xmp, DIGIKAM.replace('\n', "\r\n")),
        (SidecarFormat::Xmp, format!("\u{feff}{DIGIKAM}")),
        (SidecarFormat::Nfo, KODI.to_owned()),
        (SidecarFormat::Nfo, KODI.replace('\n', "\r\n")),
    ] {
        let with = put(format, Some(&before), &["dog", "sea"]);
        assert!(with.len() > before.len() && with.contains("dog"), "{with}");
        let mut rest = with.lines();
        for line in before.lines() {
            assert!(rest.any(|own| own == line), "`{line}` is there, and in its place:\n{with}");
        }
        let other = put(format, Some(&with), &["sea", "tabby"]);
        assert!(other.contains("tabby") && !other.contains("dog"), "{other}");
        assert_eq!(put(format, Some(&other), &[]), before, "as if we had never been there");
        assert_eq!(put(format, Some(&with), &["dog", "sea"]), with, "again");
    }
    let dog = put(SidecarFormat::Xmp, Some(DIGIKAM), &["Anna"]);
    assert_eq!(
        dog.matches(">Anna<").count(),
        DIGIKAM.matches(">Anna<").count() + 4,
        "two lists without her, with records"
    );
    assert_eq!(put(SidecarFormat::Xmp, Some(&dog), &[]), DIGIKAM, "where Anna was somebody else's, she stays");
}

#[test]
fn what_somebody_took_out_stays_out() {
    let with = put(SidecarFormat::Nfo, Some(KODI), &["dog", "sea"]);
    let taken = with.replacen("  <tag>dog</tag>\n", "", 1);
    assert_ne!(with, taken);
    let again = merged(SidecarFormat::Nfo, Some(&taken), &labels(&["dog", "sea"]), &[]);
    assert_eq!((again.text, again.left_out), (None, 1));
}

#[test]
fn empty_and_short_forms_are_filled() {
    for before in [
        "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'/></x:xmpmeta>",
        "<r:RDF xmlns:r='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><r:Description r:about='' a:b='c' xmlns:a='d'/></r:RDF>",
        "<RDF xmlns='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><Description xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:subject/></Description></RDF>",
        "<r:RDF xmlns:r='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><r:Description xmlns:k='http://purl.org/dc/elements/1.1/'><k:subject><r:Bag/></k:subject></r:Description></r:RDF>",
        "<r:RDF xmlns:r='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><r:Description xmlns:k='http://purl.org/dc/elements/1.1/'><k:subject><r:Bag></r:Bag></k:subject></r:Description></r:RDF>",
    ] {
        let with = put(SidecarFormat::Xmp, Some(before), &["dog"]);
        assert_eq!(with.matches(">dog<").count(), 6, "{with}");
        assert_eq!(put(SidecarFormat::Xmp, Some(&with), &["dog"]), with);
        assert!(!put(SidecarFormat::Xmp, Some(&with), &[]).contains("dog"));
    }
    for before in
        ["<movie/>", "<movie />", "<movie></movie>", "<movie>\n</movie>\nhttps://www.themoviedb.org/movie/11\n"]
    {
        let with = put(SidecarFormat::Nfo, Some(before), &["dog"]);
        assert_eq!(with.matches("<tag>dog</tag>").count(), 2, "{with}");
        assert!(before.ends_with('>') || with.ends_with("movie/11\n"));
        assert_eq!(put(SidecarFormat::Nfo, Some(&with), &["dog"]), with);
    }
}

#[test]
fn what_cannot_be_changed_safely_is_refused() {
    let kind = |format, bytes: &[u8]| refused(format, bytes).kind;
    let utf16: Vec<u8> = "\u{feff}<movie/>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for format in [SidecarFormat::Xmp, SidecarFormat::Nfo, SidecarFormat::Text] {
        assert_eq!(kind(format, &utf16), "encoding");
        assert_eq!(kind(format, b"latin \xe9t\xe9"), "encoding");
        assert_eq!(kind(format, b"a\0b"), "encoding");
    }
    let whole = DIGIKAM.find("</x:xmpmeta>").expect("the end") + "</x:xmpmeta>".len();
    for end in (1..whole).filter(|end| DIGIKAM.is_char_boundary(*end)) {
        assert_eq!(kind(SidecarFormat::Xmp, &DIGIKAM.as_bytes()[..end]), "damaged", "cut at byte {end}");
    }
    for (format, text, is) in [
        (SidecarFormat::Xmp, "", "damaged"),
        (SidecarFormat::Xmp, "hello", "damaged"),
        (SidecarFormat::Xmp, "<a/>", "form"),
        (SidecarFormat::Xmp, "<a></b>", "damaged"),
        (SidecarFormat::Xmp, "<a b='1' b='2'/>", "damaged"),
        (SidecarFormat::Xmp, "<x:a/>", "damaged"),
        (SidecarFormat::Xmp, "<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", "damaged"),
        (SidecarFormat::Xmp, "<?xml version='1.0' encoding='ISO-8859-1'?><a/>", "encoding"),
        (SidecarFormat::Xmp, &"<a>".repeat(100_000), "damaged"),
        (SidecarFormat::Xmp, &DIGIKAM.replace("<rdf:li>Anna</rdf:li>", "\u{1}"), "damaged"),
        (SidecarFormat::Xmp, &DIGIKAM.replace("</rdf:RDF>", "<rdf:Description xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:subject><rdf:Bag/></dc:subject></rdf:Description></rdf:RDF>"), "form"),
        (SidecarFormat::Xmp, &DIGIKAM.replace("xmp:Rating=", "dc:subject='x' xmp:Rating="), "form"),
        (SidecarFormat::Nfo, "https://www.themoviedb.org/movie/11", "damaged"),
        (SidecarFormat::Nfo, "<tvshow/>", "form"),
        (SidecarFormat::Nfo, "<episodedetails/><episodedetails/>", "form"),
        (SidecarFormat::Nfo, "<movie><tag>dog</movie>", "damaged"),
        (SidecarFormat::Nfo, "<movie><lockdata>true</lockdata></movie>", "locked"),
        (SidecarFormat::Nfo, "<movie><lockedfields>Genres|Tags</lockedfields></movie>", "locked"),
    ] {
        assert_eq!(kind(format, text.as_bytes()), is, "{text:.80}");
    }
    assert!(
        put(SidecarFormat::Nfo, Some("<movie><lockedfields>Genres</lockedfields></movie>"), &["dog"]).contains("dog")
    );
}

#[test]
fn lines_of_text_are_kept_as_they_are() {
    let put = |before: &str, ours: &[&str], wanted: &[&str]| {
        merged(SidecarFormat::Text, Some(before), &labels(wanted), &labels(ours)).text
    };
    assert_eq!(put("anna\r\n\r\nsea", &[], &["dog"]).as_deref(), Some("anna\r\n\r\nsea\r\ndog\r\n"));
    assert_eq!(put("anna\ndog\n", &["dog"], &["cat"]).as_deref(), Some("anna\ncat\n"));
    assert_eq!(put("anna\ndog\n", &[], &["dog"]), None);
    assert_eq!(put("\u{feff}dog\n", &["dog"], &["cat"]).as_deref(), Some("\u{feff}cat\n"));
    assert_eq!(put("dog", &["dog"], &[]).as_deref(), Some(""));
}

/// Labels in every script, with what XML cares for.
fn any_label() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{1,12}",
        "[<>&'\"\\]\\[/|;# a-c-]{1,8}",
        "[а-яα-ω一-龥א-תا-يก-๙अ-ह🐕🐈 ]{1,8}",
        any::<String>().prop_map(|text| text.chars().take(8).collect()),
        Just("]]>".to_owned()),
        Just("&amp;".to_owned()),
        Just("<!--".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_labels_come_and_go(
        first in prop::collection::vec(any_label(), 0..6),
        second in prop::collection::vec(any_label(), 0..6),
        base in 0..5_usize,
    ) {
        let (format, before) = [
            (SidecarFormat::Xmp, DIGIKAM), (SidecarFormat::Xmp, DARKTABLE), (SidecarFormat::Nfo, KODI),
            (SidecarFormat::Text, "anna\n\nat the sea\n"), (SidecarFormat::Text, ""),
        ][base];
        let (mut text, mut ours) = (before.to_owned(), Vec::new());
        for wanted in [&first, &second, &Vec::new()] {
            let with = merged(format, Some(&text), wanted, &ours);
            text = with.text.unwrap_or(text);
            ours.clone_from(&with.ours);
            let again = merged(format, Some(&text), wanted, &ours);
            prop_assert_eq!(&again.text, &None, "the second export changes nothing: {}", text);
            for label in cleaned(wanted, clean) {
                let label = if format == SidecarFormat::Xmp { label.replace(['/', '|'], "-") } else { label };
                let shown = if format == SidecarFormat::Text { label } else { quick_xml::escape::escape(label).into_owned() };
                prop_assert!(text.contains(&shown), "{} in {}", shown, text);
            }
        }
        prop_assert_eq!(text, before);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0..1000_usize) {
        let mut damaged = DIGIKAM.as_bytes().to_vec();
        let at = at.min(damaged.len());
        damaged.splice(at..(at + bytes.len() / 2).min(damaged.len()), bytes.iter().copied());
        let wanted = labels(&["dog"]);
        let wish = Wish { labels: &wanted, parent: &[], knowledge: Knowledge::Whole, title: "", ours: &[] };
        for format in [SidecarFormat::Xmp, SidecarFormat::Nfo, SidecarFormat::Text] {
            let _ = merge(format, Some(&bytes), &wish);
            let _ = merge(format, Some(&damaged), &wish);
        }
    }
}
