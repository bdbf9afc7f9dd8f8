//! The `keel` binary: the verbs, on mimalloc.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(feature = "buggify")]
compile_error!("`buggify` bends our own code: it is for storms, build it with `--bin keel-tools`");

fn main() -> std::process::ExitCode {
    keel::cli::main()
}
