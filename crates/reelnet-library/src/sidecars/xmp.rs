//! XMP: the same tags in the lists of digiKam, Lightroom and Dublin Core, and beside them, in a namespace of our own, which of the
//! entries are ours. A program that does not know the record keeps it, or drops it; then our tags count as somebody else's.

use quick_xml::escape::escape;

use super::document::{Behind, Document, Edits, Element};
use super::reconciling::{Change, reconcile};
use super::{Merged, Refusal, Wish, clean, cleaned};

const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
const XMLNS: &str = "http://www.w3.org/2000/xmlns/";
const OURS: &str = "urn:reelnet:sidecar:1#";
const NEW: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">
 <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">
 </rdf:RDF>
</x:xmpmeta>
";

/// A list of tags.
#[derive(Clone, Copy)]
struct Property {
    namespace: &'static str,
    prefix: &'static str,
    local: &'static str,
    container: &'static str,
    /// Between a tag and what is above it; without one, only the tag itself is written.
    separator: Option<char>,
}

const PROPERTIES: [Property; 3] = [
    Property {
        namespace: "http://www.digikam.org/ns/1.0/",
        prefix: "digiKam",
        local: "TagsList",
        container: "Seq",
        separator: Some('/'),
    },
    Property {
        namespace: "http://ns.adobe.com/lightroom/1.0/",
        prefix: "lr",
        local: "hierarchicalSubject",
        container: "Bag",
        separator: Some('|'),
    },
    Property {
        namespace: "http://purl.org/dc/elements/1.1/",
        prefix: "dc",
        local: "subject",
        container: "Bag",
        separator: None,
    },
];

impl Property {
    /// The list in which our entries stand once more.
    fn record(self) -> Self {
        Self { namespace: OURS, prefix: "reelnet", container: "Bag", ..self }
    }

    fn values(self, wish: &Wish<'_>) -> Vec<String> {
        // A separator within a label would make two of it; all three lists say the same.
        let label = |label: &str| clean(label).replace(['/', '|'], "-");
        let parent = cleaned(wish.parent, label);
        let labels = cleaned(wish.labels, label);
        let Some(separator) = self.separator else { return labels };
        let above: String = parent.iter().map(|part| format!("{part}{separator}")).collect();
        labels.into_iter().map(|label| above.clone() + &label).collect()
    }

    /// What a value of this list says, without what is above it.
    fn label(self, value: &str) -> String {
        match self.separator {
            Some(separator) => value.rsplit(separator).next().unwrap_or(value).to_owned(),
            None => value.to_owned(),
        }
    }

    fn block(self, line: &str, values: &[String], declarations: &str) -> String {
        let Self { prefix, local, container, .. } = self;
        let items: String = values.iter().map(|value| item(&format!("{line}  "), "rdf:", value)).collect();
        format!(
            "{line}<{prefix}:{local}{declarations}>{line} <rdf:{container}>{items}{line} </rdf:{container}>{line}</{prefix}:{local}>"
        )
    }
}

fn item(line: &str, prefix: &str, value: &str) -> String {
    format!("{line}<{prefix}li>{}</{prefix}li>", escape(value))
}

/// A list as it is in a document.
struct List<'document> {
    host: &'document Element,
    element: &'document Element,
    container: Option<&'document Element>,
    /// Without value if it is more than text.
    items: Vec<(&'document Element, Option<String>)>,
}

impl List<'_> {
    fn values(&self) -> Vec<String> {
        self.items.iter().filter_map(|(_, value)| value.clone()).collect()
    }
}

/// A sidecar with these tags, and with all that is in it already.
pub(super) fn merge(existing: Option<&str>, wish: &Wish<'_>) -> Result<Merged, Refusal> {
    let (mark, text) = match existing.unwrap_or(NEW).strip_prefix('\u{feff}') {
        Some(text) => ("\u{feff}", text),
        None => ("", existing.unwrap_or(NEW)),
    };
    let document = Document::parse(text, Behind::Nothing)?;
    let rdf = rdf(&document)?;
    let (mut merged, mut edits, mut homeless) = (Merged::default(), Edits::default(), Vec::new());
    let mut after = Vec::new();
    for property in PROPERTIES {
        let (list, record) = (find(rdf, property)?, find(rdf, property.record())?);
        let present = list.as_ref().map(List::values).unwrap_or_default();
        let recorded = record.as_ref().map(List::values).unwrap_or_default();
        let change = reconcile(&present, &recorded, &property.values(wish), wish.knowledge);
        note(&mut merged.added, &change.add, property);
        note(&mut merged.removed, &change.take, property);
        merged.left_out = merged.left_out.max(change.left_out);
        after.push((property, changed(&present, &change)));
        after.push((property.record(), change.ours.clone()));
        let of_record = Change {
            add: change.ours.iter().filter(|value| !recorded.contains(value)).cloned().collect(),
            take: recorded.into_iter().filter(|value| !change.ours.contains(value)).collect(),
            ..Change::default()
        };
        for (property, list, change) in [(property, list, change), (property.record(), record, of_record)] {
            match list {
                Some(list) => edit(text, property, &list, &change, &mut edits),
                None if change.add.is_empty() => {}
                None => homeless.push((property, change.add)),
            }
        }
    }
    if homeless.is_empty() {
        clear(text, rdf, &mut edits);
    } else {
        house(&document, rdf, &homeless, &mut edits);
    }
    if edits.is_empty() {
        return Ok(merged);
    }
    let text = edits.applied(text);
    check(&text, &after)?;
    Ok(Merged { text: Some(format!("{mark}{text}")), ..merged })
}

/// Labels for people, once for all lists.
fn note(labels: &mut Vec<String>, values: &[String], property: Property) {
    for label in values.iter().map(|value| property.label(value)) {
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
}

fn changed(present: &[String], change: &Change) -> Vec<String> {
    let mut values = present.to_vec();
    for value in &change.take {
        if let Some(at) = values.iter().position(|own| own == value) {
            values.remove(at);
        }
    }
    values.extend(change.add.iter().cloned());
    values
}

/// What was written has to be what was meant, read by the same reader.
fn check(text: &str, after: &[(Property, Vec<String>)]) -> Result<(), Refusal> {
    let document = Document::parse(text, Behind::Nothing)?;
    let rdf = rdf(&document)?;
    for (property, meant) in after {
        let values = find(rdf, *property)?.map(|list| list.values()).unwrap_or_default();
        if values != *meant {
            return Err(Refusal::other("the sidecar is written in a way that this program cannot change safely"));
        }
    }
    Ok(())
}

fn rdf<'document>(document: &'document Document<'_>) -> Result<&'document Element, Refusal> {
    let root = &document.root;
    let found = if root.is(RDF, "RDF") { Some(root) } else { root.elements().find(|child| child.is(RDF, "RDF")) };
    found.ok_or_else(|| Refusal::other("the sidecar is XML, and no XMP: it has no rdf:RDF"))
}

fn descriptions(rdf: &Element) -> impl Iterator<Item = &Element> {
    rdf.elements().filter(|child| child.is(RDF, "Description"))
}

fn find(rdf: &Element, property: Property) -> Result<Option<List<'_>>, Refusal> {
    let Property { namespace, prefix, local, .. } = property;
    let odd = |what: &str| Refusal::other(&format!("{prefix}:{local} {what}"));
    let mut found = None;
    for host in descriptions(rdf) {
        if host.attributes.iter().any(|attribute| attribute.namespace == namespace && attribute.local == local) {
            return Err(odd("is an attribute, expected a list"));
        }
        for element in host.elements().filter(|element| element.is(namespace, local)) {
            if found.is_some() {
                return Err(odd("is there twice, expected one list"));
            }
            found = Some(list(host, element).ok_or_else(|| odd("is no list of rdf:li"))?);
        }
    }
    Ok(found)
}

fn list<'document>(host: &'document Element, element: &'document Element) -> Option<List<'document>> {
    let mut containers = element.elements();
    let Some(container) = containers.next() else {
        return (element.value()?.is_empty()).then_some(List { host, element, container: None, items: Vec::new() });
    };
    let is_container = ["Bag", "Seq", "Alt"].iter().any(|name| container.is(RDF, name));
    if !is_container || containers.next().is_some() || !container.elements().all(|item| item.is(RDF, "li")) {
        return None;
    }
    let items = container.elements().map(|item| (item, item.value())).collect();
    Some(List { host, element, container: Some(container), items })
}

/// Changes a list that is there.
fn edit(text: &str, property: Property, list: &List<'_>, change: &Change, edits: &mut Edits) {
    let List { host, element, container, items } = list;
    if change.add.is_empty() && change.take.is_empty() {
        return;
    }
    if change.add.is_empty() && change.take.len() == items.len() {
        edits.put(host.with_blanks(text, element), String::new());
        return;
    }
    let Some(container) = container.filter(|container| container.closing.is_some()) else {
        let line = host.blanks_before(text, &element.range());
        let block = property.block(line, &change.add, &declarations(host, property));
        edits.put(host.with_blanks(text, element), block);
        return;
    };
    for value in &change.take {
        if let Some((item, _)) = items.iter().find(|(_, own)| own.as_ref() == Some(value)) {
            edits.put(container.with_blanks(text, item), String::new());
        }
    }
    let (at, line) = match items.last() {
        Some((last, _)) => (last.range().end, container.blanks_before(text, &last.range()).to_owned()),
        None => (container.opening.end, format!("{} ", element.blanks_before(text, &container.range()))),
    };
    let prefix = container.prefix.as_ref().map(|prefix| format!("{prefix}:")).unwrap_or_default();
    let new: String = change.add.iter().map(|value| item(&line, &prefix, value)).collect();
    if !new.is_empty() {
        edits.put(at..at, new);
    }
}

/// Puts lists that are not there yet where ours are already, or into a description of their own.
fn house(document: &Document<'_>, rdf: &Element, lists: &[(Property, Vec<String>)], edits: &mut Edits) {
    let text = document.text;
    let is_ours = |host: &&Element| {
        host.closing.is_some()
            && (host.elements().any(|element| element.namespace == OURS) || declares(host, "reelnet", OURS))
    };
    if let Some(host) = descriptions(rdf).find(is_ours) {
        let (at, line) = match host.elements().last() {
            Some(last) => (last.range().end, host.blanks_before(text, &last.range()).to_owned()),
            None => (host.opening.end, format!("{} ", rdf.blanks_before(text, &host.range()))),
        };
        let blocks: String = lists
            .iter()
            .map(|(property, values)| property.block(&line, values, &declarations(host, *property)))
            .collect();
        edits.put(at..at, blocks);
        return;
    }
    let about = descriptions(rdf)
        .flat_map(|host| &host.attributes)
        .find(|attribute| attribute.namespace == RDF && attribute.local == "about")
        .map(|attribute| attribute.value.as_str())
        .unwrap_or_default();
    let last = rdf.elements().last();
    let line = last.map(|last| rdf.blanks_before(text, &last.range())).filter(|line| line.contains('\n'));
    let line = line.unwrap_or("\n  ");
    let mut spaces: Vec<(&str, &str)> = if rdf.prefix.as_deref() == Some("rdf") { vec![] } else { vec![("rdf", RDF)] };
    spaces.extend(PROPERTIES.map(|property| (property.prefix, property.namespace)));
    spaces.push(("reelnet", OURS));
    let spaces: String =
        spaces.iter().map(|(prefix, namespace)| format!("{line}  xmlns:{prefix}=\"{namespace}\"")).collect();
    let blocks: String =
        lists.iter().map(|(property, values)| property.block(&format!("{line} "), values, "")).collect();
    let description =
        format!("{line}<rdf:Description rdf:about=\"{}\"{spaces}>{blocks}{line}</rdf:Description>", escape(about));
    match (&rdf.closing, last) {
        (Some(_), Some(last)) => edits.put(last.range().end..last.range().end, description),
        (Some(_), None) => edits.put(rdf.opening.end..rdf.opening.end, description),
        (None, _) => {
            let opening = text[rdf.opening.clone()].trim_end_matches("/>");
            let prefix = rdf.prefix.as_ref().map(|prefix| format!("{prefix}:")).unwrap_or_default();
            edits.put(rdf.opening.clone(), format!("{opening}>{description}\n </{prefix}RDF>"));
        }
    }
}

/// Takes away descriptions of ours in which nothing is left.
fn clear(text: &str, rdf: &Element, edits: &mut Edits) {
    for host in descriptions(rdf).filter(|host| declares(host, "reelnet", OURS) && host.elements().next().is_some()) {
        if host.elements().all(|element| edits.removes(&element.range())) {
            let range = rdf.with_blanks(text, host);
            edits.forget_within(&range);
            edits.put(range, String::new());
        }
    }
}

fn declares(element: &Element, prefix: &str, namespace: &str) -> bool {
    element
        .attributes
        .iter()
        .any(|attribute| attribute.namespace == XMLNS && attribute.local == prefix && attribute.value == namespace)
}

/// The namespaces that a list needs and that its host does not declare itself.
fn declarations(host: &Element, property: Property) -> String {
    let mut text = String::new();
    if host.prefix.as_deref() != Some("rdf") {
        text.push_str(&format!(" xmlns:rdf=\"{RDF}\""));
    }
    if !declares(host, property.prefix, property.namespace) {
        text.push_str(&format!(" xmlns:{}=\"{}\"", property.prefix, property.namespace));
    }
    text
}
