//! The page that a scrape answers with: OpenMetrics text, a family after the other.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use super::Histogram;

/// Something with figures to tell.
pub trait Measures: fmt::Debug + Send + Sync {
    /// Writes them, the same families each time.
    ///
    /// # Errors
    /// The page's.
    fn write(&self, page: &mut Page<'_>) -> fmt::Result;
}

/// Labels of a series: their names, and values out of a bounded set.
pub type Labels<'a, const N: usize> = [(&'static str, &'a str); N];

/// Where figures are written to. Names are whole: `saga_steps_total`, so that who has one from a
/// dashboard finds it in the code.
pub struct Page<'a>(DescriptorEncoder<'a>);

impl<'a> Page<'a> {
    pub(super) fn new(encoder: DescriptorEncoder<'a>) -> Self {
        Self(encoder)
    }

    /// Writes a counter; its name ends with `_total`.
    ///
    /// # Errors
    /// The page's.
    pub fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let mut family = self.family(total(name), help, MetricType::Counter)?;
        family.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    /// Writes a counter of seconds that was counted in microseconds.
    ///
    /// # Errors
    /// The page's.
    pub fn seconds(&mut self, name: &str, help: &str, micros: u64) -> fmt::Result {
        let mut family = self.family(total(name), help, MetricType::Counter)?;
        #[expect(clippy::cast_precision_loss)]
        let seconds = micros as f64 / 1e6;
        family.encode_counter::<NoLabelSet, _, u64>(&seconds, None)
    }

    /// Writes a counter with labels.
    ///
    /// # Errors
    /// The page's.
    pub fn counters<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels<'l, N>, u64)>,
    ) -> fmt::Result {
        let mut family = self.family(total(name), help, MetricType::Counter)?;
        for (labels, value) in series {
            let mut series = family.encode_family(&labels)?;
            series.encode_counter::<NoLabelSet, _, u64>(&value, None)?;
        }
        Ok(())
    }

    /// Writes a gauge; without a value only its name, so that "unknown" is not zero.
    ///
    /// # Errors
    /// The page's.
    pub fn gauge(&mut self, name: &str, help: &str, value: Option<f64>) -> fmt::Result {
        let mut family = self.family(name, help, MetricType::Gauge)?;
        value.map_or(Ok(()), |value| family.encode_gauge(&value))
    }

    /// Writes a gauge with labels.
    ///
    /// # Errors
    /// The page's.
    pub fn gauges<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels<'l, N>, f64)>,
    ) -> fmt::Result {
        let mut family = self.family(name, help, MetricType::Gauge)?;
        for (labels, value) in series {
            family.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    /// Writes a histogram.
    ///
    /// # Errors
    /// The page's.
    pub fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) -> fmt::Result {
        self.histograms(name, help, [([], histogram)])
    }

    /// Writes a histogram with labels.
    ///
    /// # Errors
    /// The page's.
    pub fn histograms<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels<'l, N>, &'l Histogram)>,
    ) -> fmt::Result {
        let mut family = self.family(name, help, MetricType::Histogram)?;
        for (labels, histogram) in series {
            let now = histogram.now();
            let mut series = family.encode_family(&labels)?;
            series.encode_histogram::<NoLabelSet>(now.sum, now.count, &now.buckets, None)?;
        }
        Ok(())
    }

    /// Writes what something is, as labels of a series that is always 1; its name ends with `_info`.
    ///
    /// # Errors
    /// The page's.
    pub fn info<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        labels: Labels<'_, N>,
    ) -> fmt::Result {
        let name = name.strip_suffix("_info").unwrap_or(name);
        self.family(name, help, MetricType::Info)?
            .encode_info(&labels)
    }

    fn family<'s>(
        &'s mut self,
        name: &'s str,
        help: &str,
        kind: MetricType,
    ) -> Result<MetricEncoder<'s>, fmt::Error> {
        self.0.encode_descriptor(name, help, None, kind)
    }
}

/// The family of a counter: the text format adds the ending.
fn total(name: &str) -> &str {
    name.strip_suffix("_total").unwrap_or(name)
}
