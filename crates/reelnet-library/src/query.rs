//! Search queries: `dog AND (beach OR "sea shore") NOT cat`, and which labels their words mean. Knows nothing of a database.

use std::fmt;

use reelnet_infer::groups::is_in_group;
use thiserror::Error;

/// A query that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QueryError {
    /// It has no word in it.
    #[error("the query is empty; expected labels, such as `dog AND beach`")]
    Empty,
    /// It breaks off, or has something that does not belong there.
    #[error("the query makes no sense at character {at}: {detail}")]
    Syntax {
        /// Counted from 1.
        at: usize,
        /// What was expected.
        detail: String,
    },
    /// No label is called like this.
    #[error("no label is called `{word}`{}", suggested(near))]
    Unknown {
        /// As it was written.
        word: String,
        /// Labels that are written nearly so.
        near: Vec<String>,
    },
}

fn suggested(near: &[String]) -> String {
    if near.is_empty() {
        return "; `reelnet library labels` lists them".to_owned();
    }
    format!("; did you mean {}?", near.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(" or "))
}

/// A query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// A file with one of the labels that this means.
    Term(Term),
    /// Both.
    And(Box<Query>, Box<Query>),
    /// One of both.
    Or(Box<Query>, Box<Query>),
    /// Not so.
    Not(Box<Query>),
}

/// Words that mean labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// As written, without quotes and star.
    pub text: String,
    /// What a label has to have.
    pub fit: Fit,
}

/// How a term fits a label; capital letters do not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// The words stand in the label, one after another: `husky` fits `Siberian husky`, and not `huskies`. An everyday word for a group
    /// of ImageNet's classes fits these, and of ImageNet's labels no other: `dog` fits `Samoyed`, and `beach` not `beach wagon`.
    Words,
    /// `dog*`: a word of the label begins so.
    Prefix,
    /// `"dog"`, in quotes: that is the label.
    Whole,
}

impl Term {
    /// Whether a label is meant.
    pub fn fits(&self, label: &str) -> bool {
        if self.fit == Fit::Words
            && let Some(is_member) = is_in_group(label, &self.text)
        {
            return is_member;
        }
        let (label, text) = (label.to_lowercase(), self.text.to_lowercase());
        match self.fit {
            Fit::Whole => label == text,
            Fit::Words | Fit::Prefix => label.match_indices(&text).any(|(at, _)| {
                let is_border = |neighbour: Option<char>| neighbour.is_none_or(|letter| !letter.is_alphanumeric());
                is_border(label[..at].chars().next_back())
                    && (self.fit == Fit::Prefix || is_border(label[at + text.len()..].chars().next()))
            }),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fit {
            Fit::Words => out.write_str(&self.text),
            Fit::Prefix => write!(out, "{}*", self.text),
            Fit::Whole => write!(out, "\"{}\"", self.text),
        }
    }
}

impl Query {
    /// Reads a query. `AND` may be left out; `NOT` binds most, then `AND`, then `OR`; `-word` is `NOT word`. Words in small letters
    /// are labels: `and` is one.
    ///
    /// # Errors
    /// If it is empty, breaks off, or has something that does not belong there.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let tokens = tokens(text)?;
        if tokens.is_empty() {
            return Err(QueryError::Empty);
        }
        if let Some((at, _)) = tokens.get(MOST_TOKENS) {
            return Err(QueryError::Syntax { at: *at, detail: format!("it has more than {MOST_TOKENS} words") });
        }
        let mut parser = Parser { tokens, at: 0, end: text.chars().count() + 1, depth: 0 };
        let query = parser.or()?;
        match parser.peek() {
            None => Ok(query),
            Some(_) => Err(parser.complaint("a word, AND, OR or the end was expected")),
        }
    }

    /// All terms, those behind NOT too.
    pub fn terms(&self) -> Vec<&Term> {
        match self {
            Self::Term(term) => vec![term],
            Self::Not(query) => query.terms(),
            Self::And(a, b) | Self::Or(a, b) => [a.terms(), b.terms()].concat(),
        }
    }

    /// The terms that a file is wanted for: those that are not denied.
    pub fn wanted_terms(&self) -> Vec<&Term> {
        fn gather<'query>(query: &'query Query, is_wanted: bool, terms: &mut Vec<&'query Term>) {
            match query {
                Query::Term(term) if is_wanted => terms.push(term),
                Query::Term(_) => {}
                Query::Not(query) => gather(query, !is_wanted, terms),
                Query::And(a, b) | Query::Or(a, b) => {
                    gather(a, is_wanted, terms);
                    gather(b, is_wanted, terms);
                }
            }
        }
        let mut terms = Vec::new();
        gather(self, true, &mut terms);
        terms
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Term(Term),
    And,
    Or,
    Not,
    Open,
    Close,
}

fn tokens(text: &str) -> Result<Vec<(usize, Token)>, QueryError> {
    let letters: Vec<char> = text.chars().collect();
    let (mut tokens, mut at) = (Vec::new(), 0);
    while let Some(&letter) = letters.get(at) {
        let place = at + 1;
        at += 1;
        let token = match letter {
            letter if letter.is_whitespace() => continue,
            '(' => Token::Open,
            ')' => Token::Close,
            '-' => Token::Not,
            '"' => {
                let Some(length) = letters[at..].iter().position(|&letter| letter == '"') else {
                    return Err(QueryError::Syntax { at: place, detail: "this quote is never closed".to_owned() });
                };
                let text: String = letters[at..at + length].iter().collect();
                at += length + 1;
                if text.trim().is_empty() {
                    return Err(QueryError::Syntax {
                        at: place,
                        detail: "there is nothing between the quotes".to_owned(),
                    });
                }
                Token::Term(Term { text: text.trim().to_owned(), fit: Fit::Whole })
            }
            _ => {
                let rest = &letters[at - 1..];
                let length = rest
                    .iter()
                    .position(|&letter| letter.is_whitespace() || "()\"".contains(letter))
                    .unwrap_or(rest.len());
                let word: String = rest[..length].iter().collect();
                at += length - 1;
                match word.as_str() {
                    "AND" | "&&" => Token::And,
                    "OR" | "||" => Token::Or,
                    "NOT" => Token::Not,
                    _ => Token::Term(match word.strip_suffix('*') {
                        Some("") => {
                            let detail = "a star needs letters before it".to_owned();
                            return Err(QueryError::Syntax { at: place, detail });
                        }
                        Some(start) => Term { text: start.to_owned(), fit: Fit::Prefix },
                        None => Term { text: word, fit: Fit::Words },
                    }),
                }
            }
        };
        tokens.push((place, token));
    }
    Ok(tokens)
}

/// Parentheses and NOTs within each other, at most: a query is read by recursion.
const MOST_DEPTH: usize = 64;

/// Words and signs of a query, at most.
const MOST_TOKENS: usize = 256;

struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
    end: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    fn takes(&mut self, token: &Token) -> bool {
        let is_there = self.peek() == Some(token);
        self.at += usize::from(is_there);
        is_there
    }

    fn complaint(&self, detail: &str) -> QueryError {
        let at = self.tokens.get(self.at).map_or(self.end, |(place, _)| *place);
        QueryError::Syntax { at, detail: detail.to_owned() }
    }

    fn or(&mut self) -> Result<Query, QueryError> {
        let mut left = self.and()?;
        while self.takes(&Token::Or) {
            left = Query::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Query, QueryError> {
        let mut left = self.not()?;
        loop {
            let is_next =
                self.takes(&Token::And) || matches!(self.peek(), Some(Token::Term(_) | Token::Not | Token::Open));
            if !is_next {
                return Ok(left);
            }
            left = Query::And(Box::new(left), Box::new(self.not()?));
        }
    }

    fn not(&mut self) -> Result<Query, QueryError> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err(self.complaint("it is nested too deeply"));
        }
        let query = if self.takes(&Token::Not) {
            Query::Not(Box::new(self.not()?))
        } else if self.takes(&Token::Open) {
            let query = self.or()?;
            if !self.takes(&Token::Close) {
                return Err(self.complaint("a closing parenthesis was expected"));
            }
            query
        } else if let Some(Token::Term(term)) = self.peek().cloned() {
            self.at += 1;
            Query::Term(term)
        } else {
            return Err(self.complaint("a label was expected"));
        };
        self.depth -= 1;
        Ok(query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With parentheses around everything.
    fn shown(query: &Query) -> String {
        match query {
            Query::Term(term) => term.to_string(),
            Query::Not(query) => format!("!{}", shown(query)),
            Query::And(a, b) => format!("({} & {})", shown(a), shown(b)),
            Query::Or(a, b) => format!("({} | {})", shown(a), shown(b)),
        }
    }

    #[test]
    fn operators_bind_as_usual() {
        for (text, meant) in [
            ("dog", "dog"),
            ("dog AND beach", "(dog & beach)"),
            ("dog beach", "(dog & beach)"),
            ("a OR b c", "(a | (b & c))"),
            ("(a OR b) c", "((a | b) & c)"),
            ("NOT a b", "(!a & b)"),
            ("a -b", "(a & !b)"),
            ("NOT (a OR NOT b)", "!(a | !b)"),
            ("\"golden retriever\" OR retr*", "(\"golden retriever\" | retr*)"),
            ("and or not", "((and & or) & not)"),
            ("t-shirt", "t-shirt"),
            ("собака 狗", "(собака & 狗)"),
        ] {
            assert_eq!(Query::parse(text).map(|query| shown(&query)), Ok(meant.to_owned()), "{text}");
        }
        let query = Query::parse("a AND NOT (b OR NOT c)").expect("a query");
        let names = |terms: Vec<&Term>| terms.iter().map(|term| term.text.clone()).collect::<Vec<_>>().join(" ");
        assert_eq!((names(query.terms()), names(query.wanted_terms())), ("a b c".to_owned(), "a c".to_owned()));
    }

    #[test]
    fn what_makes_no_sense_is_told_with_its_place() {
        for (text, at) in
            [("a AND", 6), ("(a", 3), ("a)", 2), ("OR a", 1), ("a \"b", 3), ("\"\"", 1), ("*", 1), ("()", 2)]
        {
            let error = Query::parse(text).expect_err(text);
            assert!(matches!(error, QueryError::Syntax { at: found, .. } if found == at), "{text}: {error}");
        }
        assert_eq!(Query::parse("  "), Err(QueryError::Empty));
        assert!(Query::parse(&"(".repeat(100_000)).is_err());
        assert!(Query::parse(&"NOT ".repeat(100_000)).is_err());
    }

    #[test]
    fn terms_mean_words_of_labels() {
        let fits = |text: &str, label: &str| match Query::parse(text) {
            Ok(Query::Term(term)) => term.fits(label),
            other => panic!("{other:?}"),
        };
        assert!(fits("dog", "Eskimo dog, husky") && fits("DOG", "dog") && fits("husky", "Eskimo dog, husky"));
        assert!(fits("dog", "Samoyed") && fits("dogs", "Samoyed") && fits("dog", "walking the dog"));
        assert!(!fits("beach", "beach wagon") && fits("beach*", "beach wagon") && fits("beach", "seashore"));
        assert!(!fits("dog", "hotdog") && !fits("dog", "dogs") && fits("dog*", "dogsled"));
        assert!(fits("\"hot dog\"", "Hot Dog") && !fits("\"dog\"", "hot dog"));
        assert!(fits("strasse", "strasse") && !fits("s", "Straße"));
    }
}
