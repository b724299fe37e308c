//! The check that a file's tensors are a network's, and their way into it.

use std::fmt;

use crate::network::Network;
use crate::parameters;

use super::state_dict::StateDict;

/// What happens to weights that do not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strictness {
    /// Nothing may be missing, left over or of another shape.
    #[default]
    Exact,
    /// What fits is loaded; the rest is reported.
    Partial,
}

/// A tensor of another shape than the network's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Its name.
    pub name: String,
    /// The network's shape.
    pub expected: Vec<usize>,
    /// The file's.
    pub found: Vec<usize>,
}

/// What a file and a network have in common, and what not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Loaded.
    pub loaded: Vec<String>,
    /// In the network, not in the file.
    pub missing: Vec<String>,
    /// In the file, not in the network.
    pub unused: Vec<String>,
    /// In both, of different shapes.
    pub mismatched: Vec<Mismatch>,
    /// In both, holding values that are not finite.
    pub not_finite: Vec<String>,
}

impl LoadReport {
    /// Whether file and network are the same tensors.
    pub fn is_exact(&self) -> bool {
        self.missing.is_empty() && self.unused.is_empty() && self.mismatched.is_empty() && self.not_finite.is_empty()
    }
}

/// Names shown of each kind before the rest is only counted.
const SHOWN: usize = 4;

impl fmt::Display for LoadReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |kind: &str, names: &[String]| {
            let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
            let more = if names.len() > SHOWN { format!(" and {} more", names.len() - SHOWN) } else { String::new() };
            format!("{} {kind} ({}{more})", names.len(), shown.join(", "))
        };
        let shapes: Vec<String> = self
            .mismatched
            .iter()
            .map(|tensor| format!("{}: expected {:?}, found {:?}", tensor.name, tensor.expected, tensor.found))
            .collect();
        let kinds = [
            ("missing", &self.missing),
            ("unused", &self.unused),
            ("of another shape", &shapes),
            ("not finite", &self.not_finite),
        ];
        let mut parts: Vec<String> =
            kinds.into_iter().filter(|(_, names)| !names.is_empty()).map(|(kind, names)| list(kind, names)).collect();
        if parts.is_empty() {
            parts.push(format!("all {} tensors fit", self.loaded.len()));
        }
        formatter.write_str(&parts.join(", "))
    }
}

/// Puts weights into a network.
///
/// A convolution of an image network may come with a time axis of 1, and the other way round.
///
/// # Errors
/// With [`Strictness::Exact`], the report if anything does not fit.
pub fn load(
    network: Network,
    mut weights: StateDict,
    strictness: Strictness,
) -> Result<(Network, LoadReport), Box<LoadReport>> {
    let mut report = LoadReport::default();
    for parameter in parameters::list(&network) {
        match weights.get(&parameter.name) {
            None => report.missing.push(parameter.name),
            Some(tensor) if squeezed(&tensor.shape) != squeezed(&parameter.shape) => report.mismatched.push(Mismatch {
                found: tensor.shape.clone(),
                expected: parameter.shape,
                name: parameter.name,
            }),
            Some(tensor) if tensor.values.iter().any(|value| !value.is_finite()) => {
                report.not_finite.push(parameter.name);
            }
            Some(_) => report.loaded.push(parameter.name),
        }
    }
    let known: std::collections::HashSet<&String> = report
        .loaded
        .iter()
        .chain(&report.not_finite)
        .chain(report.mismatched.iter().map(|tensor| &tensor.name))
        .collect();
    let unused: Vec<String> =
        weights.iter().map(|(name, _)| name.to_owned()).filter(|name| !known.contains(name)).collect();
    report.unused = unused;
    if strictness == Strictness::Exact && !report.is_exact() {
        return Err(Box::new(report));
    }
    let fitting: std::collections::HashSet<&String> = report.loaded.iter().collect();
    let network = parameters::replace(network, |parameter| {
        if !fitting.contains(&parameter.name) {
            return None;
        }
        weights.remove(&parameter.name).map(|tensor| tensor.values)
    });
    Ok((network, report))
}

/// A convolution's shape without a time axis of 1; any other shape as it is.
fn squeezed(shape: &[usize]) -> Vec<usize> {
    match *shape {
        [out, channels_in, 1, height, width] => vec![out, channels_in, height, width],
        _ => shape.to_vec(),
    }
}
