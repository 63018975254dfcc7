//! The figures of a report, each with its name: what two reports are compared by.

use super::{Report, Run};
use crate::bench::meter::DRIVER;

/// A number with a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// What was measured: `closed-512`, `floor closed-64`.
    pub of: String,
    /// Which figure of it.
    pub what: &'static str,
    /// How much.
    pub value: f64,
}

/// All figures that say something about the system or the machine.
pub fn figures(report: &Report) -> Vec<Figure> {
    let mut figures = Vec::new();
    for run in report.runs() {
        of_run(&run.name, run, &mut figures);
    }
    for run in &report.floor {
        of_run(&format!("floor {}", run.name), run, &mut figures);
    }
    for ratio in &report.ratios {
        let of = format!("to floor, {}", ratio.in_flight);
        figures.push(figure(&of, "throughput", ratio.throughput));
        figures.push(figure(&of, "CPU time", ratio.cpu));
    }
    if let Some(long) = &report.long {
        figures.push(figure("long", "last tenth to first", long.last_to_first));
        let to_new = long
            .last_to_new
            .map(|ratio| figure("long", "last tenth to new", ratio));
        figures.extend(to_new);
    }
    figures
}

fn of_run(of: &str, run: &Run, figures: &mut Vec<Figure>) {
    let mut push = |what, value| figures.push(figure(of, what, value));
    push("completed/s", run.completed_per_second);
    if let Some(latency) = run.latency_ms {
        push("p50 ms", latency.p50);
        push("p99 ms", latency.p99);
        push("max ms", latency.max);
    }
    push("CPU ms/purchase", run.cost.cpu_ms_total);
    if let Some(fsyncs) = run.cost.fsyncs_total() {
        push("fsyncs/purchase", fsyncs);
    }
    let memory = run.cost.memory_mib.iter();
    let memory = memory.filter(|(name, _)| *name != DRIVER);
    push("memory MiB", memory.map(|(_, mib)| mib).sum());
}

fn figure(of: &str, what: &'static str, value: f64) -> Figure {
    Figure {
        of: of.to_owned(),
        what,
        value,
    }
}
