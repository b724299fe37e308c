//! An XML document as a tree of byte ranges, so that what is not changed stays as it is, byte for byte. Knows nothing of what
//! elements mean.

use std::ops::Range;

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::{NsReader, XmlVersion};

use super::Refusal;

/// Elements within each other, at most.
const MOST_DEPTH: usize = 200;

/// What may stand behind the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behind {
    /// Blanks, comments and instructions, as XML has it.
    Nothing,
    /// Also text, which is not looked at: Kodi lets an address follow.
    Text,
}

#[derive(Debug)]
pub(super) struct Document<'text> {
    pub(super) text: &'text str,
    pub(super) root: Element,
}

#[derive(Debug)]
pub(super) struct Element {
    /// Empty if it is in none.
    pub(super) namespace: String,
    pub(super) local: String,
    pub(super) prefix: Option<String>,
    pub(super) attributes: Vec<Attribute>,
    /// The opening tag, or all of an element without content (`<a/>`).
    pub(super) opening: Range<usize>,
    pub(super) closing: Option<Range<usize>>,
    pub(super) children: Vec<Node>,
}

#[derive(Debug)]
pub(super) struct Attribute {
    /// Empty if it is in none.
    pub(super) namespace: String,
    pub(super) local: String,
    pub(super) value: String,
}

#[derive(Debug)]
pub(super) enum Node {
    Element(Element),
    /// Without value if it stands for something that this document alone could tell.
    Text {
        range: Range<usize>,
        value: Option<String>,
    },
    /// A comment or an instruction.
    Aside,
}

impl Element {
    pub(super) fn is(&self, namespace: &str, local: &str) -> bool {
        self.namespace == namespace && self.local == local
    }

    pub(super) fn range(&self) -> Range<usize> {
        self.opening.start..self.closing.as_ref().unwrap_or(&self.opening).end
    }

    pub(super) fn elements(&self) -> impl Iterator<Item = &Element> {
        self.children.iter().filter_map(|child| match child {
            Node::Element(element) => Some(element),
            Node::Text { .. } | Node::Aside => None,
        })
    }

    /// Its text without blanks around; none if there are elements in it.
    pub(super) fn value(&self) -> Option<String> {
        let mut whole = String::new();
        for child in &self.children {
            match child {
                Node::Element(_) => return None,
                Node::Text { value, .. } => whole.push_str(value.as_deref()?),
                Node::Aside => {}
            }
        }
        Some(whole.trim().to_owned())
    }

    /// A child with the blanks before it: what has to go if it goes.
    pub(super) fn with_blanks(&self, text: &str, child: &Element) -> Range<usize> {
        let range = child.range();
        range.start - self.blanks_before(text, &range).len()..range.end
    }

    /// The blanks between a child and what is before it.
    pub(super) fn blanks_before<'text>(&self, text: &'text str, child: &Range<usize>) -> &'text str {
        let before = self.children.iter().find_map(|node| match node {
            Node::Text { range, .. } if range.end == child.start => Some(&text[range.clone()]),
            _ => None,
        });
        before.filter(|blanks| blanks.chars().all(char::is_whitespace)).unwrap_or_default()
    }
}

impl<'text> Document<'text> {
    pub(super) fn parse(text: &'text str, behind: Behind) -> Result<Self, Refusal> {
        let mut reader = NsReader::from_str(text);
        reader.config_mut().check_comments = true;
        let (mut open, mut root): (Vec<Element>, Option<Element>) = (Vec::new(), None);
        loop {
            let start = place(&reader);
            let event = reader.read_event().map_err(|error| damaged(&reader, &error.to_string()))?;
            let range = start..place(&reader);
            let node = match event {
                Event::Start(tag) => {
                    if open.len() == MOST_DEPTH {
                        return Err(damaged(&reader, "it is nested too deeply"));
                    }
                    open.push(element(&reader, &tag, range)?);
                    continue;
                }
                Event::Empty(tag) => Node::Element(element(&reader, &tag, range)?),
                Event::End(_) => {
                    let mut ended = open.pop().ok_or_else(|| damaged(&reader, "a tag closes what was never opened"))?;
                    ended.closing = Some(range);
                    Node::Element(ended)
                }
                Event::Text(text) => {
                    check_characters(&reader, &text)?;
                    Node::Text { range, value: Some(text.xml10_content().into_owned()) }
                }
                Event::CData(text) => {
                    check_characters(&reader, &text)?;
                    Node::Text { range, value: Some(text.xml10_content().into_owned()) }
                }
                Event::GeneralRef(reference) => {
                    let character =
                        reference.resolve_char_ref().map_err(|error| damaged(&reader, &error.to_string()))?;
                    let value = match character {
                        Some(character) => Some(character.to_string()),
                        None => resolve_predefined_entity(&reference).map(str::to_owned),
                    };
                    Node::Text { range, value }
                }
                Event::Decl(declaration) => {
                    let encoding = declaration.encoding().and_then(Result::ok).unwrap_or_default().into_owned();
                    if !["", "UTF-8", "UTF8", "US-ASCII", "ASCII"].contains(&encoding.to_uppercase().as_str()) {
                        return Err(Refusal::encoding(&format!("it says that its encoding is {encoding}")));
                    }
                    continue;
                }
                Event::Comment(_) | Event::PI(_) => Node::Aside,
                // What it declares could change what any text means.
                Event::DocType(_) => return Err(damaged(&reader, "it has a DOCTYPE, which sidecars have not")),
                Event::Eof => break,
            };
            match (open.last_mut(), node) {
                (Some(parent), node) => parent.children.push(node),
                (None, Node::Element(element)) if root.is_none() => {
                    root = Some(element);
                    if behind == Behind::Text {
                        break;
                    }
                }
                (None, Node::Element(_)) => return Err(damaged(&reader, "it has more than one root")),
                (None, Node::Text { value, .. }) if !value.as_deref().unwrap_or("&").trim().is_empty() => {
                    return Err(damaged(&reader, "there is text outside of its root"));
                }
                (None, _) => {}
            }
        }
        if !open.is_empty() {
            return Err(Refusal::damaged("it breaks off: elements are not closed"));
        }
        let root = root.ok_or_else(|| Refusal::damaged("there is no XML in it"))?;
        if behind == Behind::Text && text[root.range().end..].contains('<') {
            let rest = text[root.range().end..].trim_start();
            if !rest.starts_with("<!--") {
                return Err(Refusal::other("it has more than one root, as files of several episodes have"));
            }
        }
        Ok(Self { text, root })
    }
}

fn place(reader: &NsReader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

fn damaged(reader: &NsReader<&[u8]>, detail: &str) -> Refusal {
    Refusal::damaged(&format!("at byte {}: {detail}", reader.error_position().max(reader.buffer_position())))
}

/// What XML 1.0 forbids, another program would refuse.
fn check_characters(reader: &NsReader<&[u8]>, text: &str) -> Result<(), Refusal> {
    match text.chars().find(|character| !is_allowed(*character)) {
        Some(character) => Err(damaged(reader, &format!("U+{:04X} may not be in XML", u32::from(character)))),
        None => Ok(()),
    }
}

/// XML 1.0's characters.
pub(super) fn is_allowed(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

fn element(reader: &NsReader<&[u8]>, tag: &BytesStart<'_>, opening: Range<usize>) -> Result<Element, Refusal> {
    let resolver = reader.resolver();
    let (found, local) = resolver.resolve_element(tag.name());
    let mut attributes = Vec::new();
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|error| damaged(reader, &error.to_string()))?;
        let value =
            attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| damaged(reader, &error.to_string()))?;
        let (namespace, local) = resolver.resolve_attribute(attribute.key);
        attributes.push(Attribute {
            namespace: bound(reader, namespace)?,
            local: local.as_ref().to_owned(),
            value: value.into_owned(),
        });
    }
    Ok(Element {
        namespace: bound(reader, found)?,
        local: local.as_ref().to_owned(),
        prefix: tag.name().prefix().map(|prefix| prefix.as_ref().to_owned()),
        attributes,
        opening,
        closing: None,
        children: Vec::new(),
    })
}

fn bound(reader: &NsReader<&[u8]>, found: ResolveResult<'_>) -> Result<String, Refusal> {
    match found {
        ResolveResult::Bound(namespace) => Ok(namespace.0.to_owned()),
        ResolveResult::Unbound => Ok(String::new()),
        ResolveResult::Unknown(prefix) => Err(damaged(reader, &format!("the prefix `{prefix}` is bound to nothing"))),
    }
}

/// Changes of a text, by ranges of it that do not overlap.
#[derive(Debug, Default)]
pub(super) struct Edits(Vec<(Range<usize>, String)>);

impl Edits {
    pub(super) fn put(&mut self, range: Range<usize>, text: String) {
        self.0.push((range, text));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all of a range goes.
    pub(super) fn removes(&self, range: &Range<usize>) -> bool {
        self.0.iter().any(|(own, new)| new.is_empty() && own.start <= range.start && range.end <= own.end)
    }

    pub(super) fn forget_within(&mut self, range: &Range<usize>) {
        self.0.retain(|(own, _)| own.start < range.start || own.end > range.end);
    }

    /// The text with all changes; those of one place in the order in which they came.
    pub(super) fn applied(mut self, text: &str) -> String {
        self.0.sort_by_key(|(range, _)| (range.start, range.end));
        let (mut changed, mut at) = (String::with_capacity(text.len() + 1024), 0);
        for (range, new) in &self.0 {
            changed.push_str(&text[at..range.start]);
            changed.push_str(new);
            at = range.end;
        }
        changed + &text[at..]
    }
}
