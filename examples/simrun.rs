use keel::exchange::world::weeks::Shape;
use keel::sim::weeks::{Terms, Vault, run};
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let vault = Vault::ALL.into_iter().find(|v| v.name() == args[1]).unwrap();
    let terms = Terms {
        vault,
        weeks: args[2].parse().unwrap(),
        seed: args[3].parse().unwrap(),
        market: Shape::named(args.get(4).map_or("wild", |s| s)).unwrap(),
    };
    let began = std::time::Instant::now();
    let record = run(&terms, &mut |s| {
        eprintln!("{:>9.1}s {} {} {}", began.elapsed().as_secs_f64(), s.at_ms / 1000, s.phase, s.what)
    })
    .unwrap();
    for w in &record.weeks {
        println!("{w:?}");
    }
    for c in record.concerns.iter().take(30) {
        println!("{c:?}");
    }
    for v in record.violations.iter().take(30) {
        println!("VIOLATION {v}");
    }
    println!("{} {:.1}s", record.digest, began.elapsed().as_secs_f64());
}
