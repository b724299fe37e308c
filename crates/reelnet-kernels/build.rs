//! Finds oneDNN and compiles the C++ between it and Rust; `cfg(onednn)` says that it is there.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(onednn)");
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "onednn")]
    onednn::build();
}

#[cfg(feature = "onednn")]
mod onednn {
    use std::env;
    use std::fs;
    use std::path::{Path, PathBuf};

    /// Debian 12's.
    const OLDEST: [u32; 2] = [2, 6];
    const HEADER: &str = "oneapi/dnnl/dnnl_version.h";

    pub(super) fn build() {
        println!("cargo::rerun-if-changed=cpp");
        let target = |part: &str| env::var(format!("CARGO_CFG_TARGET_{part}")).unwrap_or_default();
        if target("OS") != "linux" || !["x86_64", "aarch64"].contains(&target("ARCH").as_str()) {
            return;
        }
        let Some(Found { include, libraries }) = from_pkg_config().or_else(|| from_prefixes(&target("ARCH"))) else {
            panic!(
                "oneDNN is missing, expected version {}.{} or newer: install libdnnl-dev (Debian, Ubuntu) or onednn-devel \
                 (Fedora), name its folder in ONEDNN_DIR, or build with --no-default-features for burn's own convolutions",
                OLDEST[0], OLDEST[1]
            );
        };
        let mut shim = cc::Build::new();
        shim.cpp(true)
            .std("c++17")
            .opt_level(2)
            .includes(&include)
            .files(["runtime", "convolution", "onednn", "fused"].map(|name| format!("cpp/{name}.cpp")))
            .compile("reelnet_onednn");
        // After the shim, which needs its symbols.
        for folder in libraries {
            println!("cargo::rustc-link-search=native={}", folder.display());
        }
        println!("cargo::rustc-link-lib=dylib=dnnl");
        println!("cargo::rustc-cfg=onednn");
    }

    /// Where headers and library are; nothing for what compiler and linker find by themselves.
    struct Found {
        include: Vec<PathBuf>,
        libraries: Vec<PathBuf>,
    }

    /// Most installations of oneDNN bring no `.pc` file; some distributions add one.
    fn from_pkg_config() -> Option<Found> {
        println!("cargo::rerun-if-env-changed=ONEDNN_DIR");
        if env::var_os("ONEDNN_DIR").is_some() {
            return None;
        }
        let mut query = pkg_config::Config::new();
        query.cargo_metadata(false).atleast_version(&format!("{}.{}", OLDEST[0], OLDEST[1]));
        let library = ["dnnl", "onednn"].iter().find_map(|name| query.probe(name).ok())?;
        Some(Found { include: library.include_paths, libraries: library.link_paths })
    }

    /// The folders where `find_package(dnnl)` of cmake would look for headers and library.
    fn from_prefixes(arch: &str) -> Option<Found> {
        let mut prefixes = Vec::new();
        for name in ["ONEDNN_DIR", "CMAKE_PREFIX_PATH", "DNNLROOT"] {
            println!("cargo::rerun-if-env-changed={name}");
            prefixes.extend(env::var_os(name).iter().flat_map(|value| env::split_paths(value).collect::<Vec<_>>()));
        }
        prefixes.extend(["/usr/local", "/usr"].map(PathBuf::from));
        prefixes.iter().find_map(|prefix| in_prefix(prefix, arch))
    }

    fn in_prefix(prefix: &Path, arch: &str) -> Option<Found> {
        let include = prefix.join("include");
        if version(&include.join(HEADER))? < OLDEST {
            return None;
        }
        let folders = ["lib".to_owned(), "lib64".to_owned(), format!("lib/{arch}-linux-gnu")];
        let library = folders.map(|folder| prefix.join(folder)).into_iter().find(|f| f.join("libdnnl.so").exists())?;
        // The system's own folders are searched last by themselves; named here, they would come before everybody's.
        let system = prefix == Path::new("/usr");
        let named = |folder: PathBuf| if system { Vec::new() } else { vec![folder] };
        Some(Found { include: named(include), libraries: named(library) })
    }

    fn version(header: &Path) -> Option<[u32; 2]> {
        let text = fs::read_to_string(header).ok()?;
        let number = |name: &str| {
            let line = text.lines().find(|line| line.split_whitespace().nth(1) == Some(name))?;
            line.split_whitespace().nth(2)?.parse().ok()
        };
        Some([number("DNNL_VERSION_MAJOR")?, number("DNNL_VERSION_MINOR")?])
    }
}
