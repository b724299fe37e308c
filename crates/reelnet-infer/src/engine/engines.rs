//! Engines for whoever scores clips: made when they are first needed, lent, given back, and either all threads on one clip or one
//! clip a thread, whichever was faster.

use std::num::NonZero;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use ndarray::ArrayView4;
use reelnet_kernels::cpu;
use reelnet_models::Network;

use super::{Engine, EngineError, EngineSpec, Precision};
use crate::pixels::Pixels;

/// Engines of one network, for clips of one shape.
#[derive(Debug)]
pub(crate) struct Engines {
    precision: Precision,
    clip: [usize; 3],
    template: OnceLock<Result<Template, EngineError>>,
    idle: Mutex<Vec<Engine>>,
    trials: Mutex<Trials>,
}

/// What engines are made from.
#[derive(Debug)]
struct Template {
    /// Never run: the others share its weights. Memory that nobody touches costs nothing.
    engine: Engine,
    /// Why it is one of 32-bit floats, where other numbers were wanted.
    shortfall: Option<EngineError>,
}

/// How the threads of a call are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// All on one clip: its activations have the whole cache.
    Together,
    /// One clip a thread: nobody waits for anybody.
    Apart,
}

/// What each way took for as many clips as there are threads.
#[derive(Debug, Default)]
struct Trials {
    together: Vec<f64>,
    apart: Vec<f64>,
}

/// Times that are taken of each way. The first is slow for reasons of its own.
const TRIALS: usize = 3;

impl Engines {
    /// Nothing is compiled yet.
    pub(crate) fn new(precision: Precision, clip: [usize; 3]) -> Self {
        Self { precision, clip, template: OnceLock::new(), idle: Mutex::default(), trials: Mutex::default() }
    }

    /// The logits of each clip, one after the other; or why there is no engine. In 32-bit floats where this machine has no kernels
    /// for other numbers.
    pub(crate) fn score(
        &self,
        network: &Network,
        clips: &[ArrayView4<'_, u8>],
        pixels: &Pixels,
    ) -> Result<Vec<f32>, &EngineError> {
        let template = &self.template(network)?.engine;
        let threads = NonZero::new(cpu::threads()).unwrap_or(NonZero::<usize>::MIN);
        let mut logits = Vec::with_capacity(clips.len() * template.classes);
        for clips in clips.chunks(threads.get()) {
            let way = self.way(clips.len(), threads);
            let began = Instant::now();
            match way {
                Way::Together => self.together(template, threads, clips, pixels, &mut logits),
                Way::Apart => self.apart(template, clips, pixels, &mut logits),
            }
            if clips.len() == threads.get() {
                self.remember(way, began.elapsed().as_secs_f64());
            }
        }
        Ok(logits)
    }

    /// Why there is no engine, or not one of the numbers that were wanted, once that is known.
    pub(crate) fn error(&self) -> Option<&EngineError> {
        match self.template.get()? {
            Ok(template) => template.shortfall.as_ref(),
            Err(error) => Some(error),
        }
    }

    /// Whether there is one, as far as is known.
    pub(crate) fn are_there(&self) -> bool {
        self.template.get().is_none_or(Result::is_ok)
    }

    /// `[frames, height, width]` of the clips.
    pub(crate) fn clip(&self) -> [usize; 3] {
        self.clip
    }

    fn template(&self, network: &Network) -> Result<&Template, &EngineError> {
        let of = |precision: &Precision| {
            Engine::compile(network, &EngineSpec { precision: precision.clone(), ..EngineSpec::new(self.clip) })
        };
        let compile = || match of(&self.precision) {
            Ok(engine) => Ok(Template { engine, shortfall: None }),
            Err(error) if self.precision == Precision::F32 => Err(error),
            Err(error) => Ok(Template { engine: of(&Precision::F32)?, shortfall: Some(error) }),
        };
        self.template.get_or_init(compile).as_ref()
    }

    fn together(
        &self,
        template: &Engine,
        threads: NonZero<usize>,
        clips: &[ArrayView4<'_, u8>],
        pixels: &Pixels,
        logits: &mut Vec<f32>,
    ) {
        let mut engine = self.lend(template, threads);
        for clip in clips {
            logits.extend(engine.run(std::slice::from_ref(clip), pixels));
        }
        lock(&self.idle).push(engine);
    }

    fn apart(&self, template: &Engine, clips: &[ArrayView4<'_, u8>], pixels: &Pixels, logits: &mut Vec<f32>) {
        let engines: Vec<Engine> = clips.iter().map(|_| self.lend(template, NonZero::<usize>::MIN)).collect();
        let begin = logits.len();
        logits.resize(begin + clips.len() * template.classes, 0.0);
        let engines = std::thread::scope(|scope| {
            let parts = logits[begin..].chunks_exact_mut(template.classes);
            let running: Vec<_> = engines
                .into_iter()
                .zip(clips)
                .zip(parts)
                .map(|((mut engine, clip), part)| {
                    scope.spawn(move || {
                        part.copy_from_slice(engine.run(std::slice::from_ref(clip), pixels));
                        engine
                    })
                })
                .collect();
            let back = running
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            back.collect::<Vec<_>>()
        });
        lock(&self.idle).extend(engines);
    }

    /// An idle engine of so many threads, or one more that shares the template's weights.
    fn lend(&self, template: &Engine, threads: NonZero<usize>) -> Engine {
        let mut idle = lock(&self.idle);
        if let Some(index) = idle.iter().position(|engine| engine.spec.threads == threads) {
            return idle.swap_remove(index);
        }
        drop(idle);
        // What could be compiled once can be compiled again: other threads change no kernel's existence.
        template.again(threads).expect("an engine that was compiled compiles for other threads")
    }

    fn way(&self, clips: usize, threads: NonZero<usize>) -> Way {
        if clips == 1 || threads.get() == 1 {
            return Way::Together;
        }
        lock(&self.trials).next()
    }

    fn remember(&self, way: Way, seconds: f64) {
        let mut trials = lock(&self.trials);
        let times = match way {
            Way::Together => &mut trials.together,
            Way::Apart => &mut trials.apart,
        };
        if times.len() < TRIALS {
            times.push(seconds);
        }
    }
}

impl Trials {
    /// The way that was tried less, and after that the faster one.
    fn next(&self) -> Way {
        if self.together.len().min(self.apart.len()) < TRIALS {
            return if self.apart.len() < self.together.len() { Way::Apart } else { Way::Together };
        }
        let best = |times: &[f64]| times.iter().copied().fold(f64::INFINITY, f64::min);
        if best(&self.apart) < best(&self.together) { Way::Apart } else { Way::Together }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing here is left half changed by a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_are_tried_and_the_faster_stays() {
        let mut trials = Trials::default();
        let mut seen = Vec::new();
        for _ in 0..2 * TRIALS {
            let way = trials.next();
            seen.push(way);
            match way {
                Way::Together => trials.together.push(2.0),
                Way::Apart => trials.apart.push(if trials.apart.is_empty() { 9.0 } else { 1.0 }),
            }
        }
        assert_eq!(seen.iter().filter(|way| **way == Way::Apart).count(), TRIALS);
        assert_eq!(trials.next(), Way::Apart);
    }
}
