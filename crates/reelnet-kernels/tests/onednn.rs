//! What oneDNN does and does not do again: reorders, packed weights, threads. Counts are the process's, so these tests take turns.

#![cfg(onednn)]

use std::num::NonZero;
use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::tensor::{Device, Distribution, Tensor};
use reelnet_kernels::cpu::{self, Work};
use reelnet_kernels::{Border, Padding, Window, conv};

fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What oneDNN did during `body`.
fn work_of<T>(body: impl FnOnce() -> T) -> (T, Work) {
    let before = cpu::work();
    let result = body();
    (result, cpu::work().since(before))
}

fn random<const D: usize>(dims: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(dims, Distribution::Uniform(-1.0, 1.0), device)
}

/// A convolution with stride 1 that keeps its input's size.
fn convolve(features: &Tensor<5>, weight: &Tensor<5>) -> Tensor<5> {
    let [_, frames, height, width, _] = features.dims();
    let [.., a, b, c] = weight.dims();
    let window = Window::fit([a, b, c], [1; 3], Padding::Symmetric, [frames, height, width]);
    conv(features.clone(), weight.clone(), None, &window, 1, Border::Zero)
}

fn largest_difference(a: Tensor<5>, b: Tensor<5>) -> f32 {
    (a - b).abs().max().into_scalar()
}

#[test]
fn neighbouring_convolutions_reorder_nothing() {
    let _turn = turn();
    let device = Device::flex().autodiff();
    let features = random([1, 4, 14, 14, 64], &device).require_grad();
    let kernels = [[64, 64, 1, 3, 3], [128, 64, 1, 1, 1], [32, 128, 3, 1, 1], [32, 32, 3, 3, 3]];
    let weights = kernels.map(|dims| random(dims, &device).require_grad());
    let (_, forward_and_backward) = work_of(|| {
        let output = weights.iter().fold(features.clone(), |features, weight| convolve(&features, weight));
        output.sum().backward()
    });
    assert_eq!((forward_and_backward.convolutions, forward_and_backward.reorders), (12, 0));
}

#[test]
fn a_stem_of_three_channels_runs_on_a_fast_kernel() {
    let _turn = turn();
    let device = Device::flex();
    let weight = random([32, 3, 5, 3, 3], &device);
    let (_, work) = work_of(|| convolve(&random([1, 4, 16, 16, 3], &device), &weight));
    // Channels last, three of them are left to oneDNN's reference kernels; a copy in another layout is not.
    assert!(work.reorders <= 1, "{work:?}");
}

#[test]
fn weights_are_packed_once_until_they_change() {
    let _turn = turn();
    let device = Device::flex();
    let features = random([1, 2, 8, 8, 32], &device);
    let weight = random([32, 32, 1, 3, 3], &device);
    let (first, work) = work_of(|| convolve(&features, &weight));
    assert_eq!(work.packings, 1);
    let (second, work) = work_of(|| convolve(&features, &weight));
    assert_eq!((work.convolutions, work.packings), (1, 0));
    assert_eq!(largest_difference(first.clone(), second), 0.0);

    let doubled = weight * 2.0;
    let (third, work) = work_of(|| convolve(&features, &doubled));
    assert_eq!(work.packings, 1, "other weights, whatever their address");
    assert!(largest_difference(first * 2.0, third) < 1e-5);
}

#[test]
fn weights_in_training_are_not_kept() {
    let _turn = turn();
    let device = Device::flex().autodiff();
    let features = random([1, 2, 8, 8, 32], &device);
    let weight = random([32, 32, 1, 3, 3], &device).require_grad();
    for _ in 0..2 {
        let (_, work) = work_of(|| convolve(&features, &weight));
        assert_eq!((work.convolutions, work.packings), (1, 1));
    }
}

#[test]
fn any_number_of_threads_gives_the_same() {
    let _turn = turn();
    let device = Device::flex();
    let features = random([2, 3, 9, 9, 24], &device);
    let weight = random([40, 24, 3, 3, 3], &device);
    let before = cpu::threads();
    let outputs = [1, 2, 3].map(|threads| {
        cpu::set_threads(NonZero::new(threads).expect("more than none"));
        assert_eq!(cpu::threads(), threads);
        convolve(&features, &weight)
    });
    cpu::set_threads(NonZero::new(before).expect("more than none"));
    let [one, two, three] = outputs;
    assert!(largest_difference(one.clone(), two) < 1e-4);
    assert!(largest_difference(one, three) < 1e-4);
}

#[test]
fn callers_from_several_threads_do_not_meet() {
    let _turn = turn();
    let device = Device::flex();
    let features = random([1, 4, 12, 12, 16], &device);
    let weight = random([48, 16, 3, 3, 3], &device);
    let expected = convolve(&features, &weight);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..25 {
                    let output = convolve(&features, &weight);
                    assert!(largest_difference(output, expected.clone()) < 1e-5);
                }
            });
        }
    });
}

#[test]
fn views_and_wide_gradients_are_what_they_show() {
    let _turn = turn();
    let device = Device::flex().autodiff();
    let channels_first = random([1, 16, 4, 6, 5], &device);
    let view = channels_first.clone().permute([0, 2, 3, 4, 1]);
    let copy = Tensor::from_data(view.clone().into_data(), &device);
    let weight = random([2, 20, 16, 1, 3, 3], &device);
    // A slice starts in the middle of its memory.
    let slice = weight.clone().narrow(0, 1, 1).reshape([20, 16, 1, 3, 3]).require_grad();
    let whole = Tensor::<5>::from_data(slice.clone().into_data(), &device).require_grad();
    let (a, b) = (convolve(&view, &slice), convolve(&copy, &whole));
    assert_eq!(largest_difference(a.clone(), b.clone()), 0.0);
    // The gradient of a sum is one number, seen everywhere.
    let (a, b) = (a.sum().backward(), (b.clone() * Tensor::ones_like(&b)).sum().backward());
    let gradients = (slice.grad(&a).expect("a gradient"), whole.grad(&b).expect("a gradient"));
    assert!(largest_difference(gradients.0, gradients.1) < 1e-4);
}

#[test]
fn the_library_says_what_it_is() {
    let library = cpu::onednn().expect("this build has it");
    let numbers: Vec<u32> = library.version.split('.').map(|part| part.parse().expect("a number")).collect();
    assert!(numbers.len() == 3 && numbers[0] >= 2, "{library:?}");
    assert!(!library.instructions.is_empty());
}
