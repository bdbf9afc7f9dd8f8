//! Cost of each stage of the pipeline, and of the whole: frame bytes in, signed replace bytes out, through the
//! engine's own actors on wires in memory. Beside it the bare signature, which is most of it.

#[path = "../tests/support/basis_vault.rs"]
mod basis_vault;
#[path = "../tools/keel_tools/latency/proof.rs"]
mod proof;
#[path = "../tools/keel_tools/latency/stand_in.rs"]
mod stand_in;

#[path = "pipeline/mandates.rs"]
mod pipeline_mandates;
#[path = "pipeline/stages.rs"]
mod pipeline_stages;
#[path = "pipeline/whole.rs"]
mod pipeline_whole;

use criterion::{criterion_group, criterion_main};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

criterion_group!(benches, pipeline_stages::stages, pipeline_whole::whole);
criterion_main!(benches);
