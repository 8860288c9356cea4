//! Latencies as a picture: an SVG of the distribution, the slow end stretched out.

use std::fmt::Write;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
const MARGIN: f64 = 56.0;
/// Shares that have a line.
const SHARES: [(f64, &str); 5] = [(0.0, "0"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"), (0.9999, "99.99 %")];
const COLOURS: [&str; 6] = ["#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#0891b2"];

/// A line of the picture: its name, and points of share and microseconds.
pub type Line = (String, Vec<(f64, f64)>);

/// Draws lines.
pub fn draw(title: &str, lines: &[Line]) -> String {
    let all = || lines.iter().flat_map(|(_, points)| points.iter().map(|(_, micros)| micros.max(1.0)));
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(1.0, f64::max));
    let (low, high) = (low.min(high).log10().floor(), high.log10().ceil().max(low.min(high).log10().floor() + 1.0));
    // Each factor of ten of what is left of the share is as wide as the one before; so is each of the time.
    let across = |share: f64| MARGIN + (WIDTH - 2.0 * MARGIN) * (-(1.0 - share).log10() / 4.0).min(1.0);
    let up = |micros: f64| HEIGHT - MARGIN - (HEIGHT - 2.0 * MARGIN) * (micros.max(1.0).log10() - low) / (high - low);
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
<text x="{MARGIN}" y="24" font-size="15">{title}</text>
"##
    );
    let mut put = |text: String| svg.push_str(&text);
    for (share, name) in SHARES {
        let x = across(share);
        put(format!(r##"<path d="M{x:.0} {MARGIN}V{:.0}" stroke="#ddd"/>"##, HEIGHT - MARGIN));
        put(format!(
            r##"<text x="{x:.0}" y="{:.0}" text-anchor="middle" fill="#555">{name}</text>"##,
            HEIGHT - MARGIN + 18.0
        ));
    }
    for power in low as i32..=high as i32 {
        let (y, micros) = (up(10_f64.powi(power)), 10_f64.powi(power));
        let name = if micros >= 1e6 {
            format!("{} s", micros / 1e6)
        } else if micros >= 1e3 {
            format!("{} ms", micros / 1e3)
        } else {
            format!("{micros} µs")
        };
        put(format!(r##"<path d="M{MARGIN} {y:.0}H{:.0}" stroke="#ddd"/>"##, WIDTH - MARGIN));
        put(format!(
            r##"<text x="{:.0}" y="{:.0}" text-anchor="end" fill="#555">{name}</text>"##,
            MARGIN - 6.0,
            y + 4.0
        ));
    }
    for (index, (name, points)) in lines.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let mut path = String::new();
        for (place, (share, micros)) in points.iter().filter(|(share, _)| *share < 1.0).enumerate() {
            let letter = if place == 0 { 'M' } else { 'L' };
            write!(path, "{letter}{:.1} {:.1}", across(*share), up(*micros)).expect("a String takes all");
        }
        put(format!(r##"<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>"##));
        let y = MARGIN + 16.0 * index as f64 + 4.0;
        put(format!(r##"<text x="{:.0}" y="{y:.0}" fill="{colour}">{name}</text>"##, MARGIN + 8.0));
    }
    svg.push_str("</svg>\n");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_rise_within_the_picture() {
        let points = vec![(0.0, 100.0), (0.5, 200.0), (0.9, 1_000.0), (0.99, 20_000.0), (0.9999, 1_500_000.0)];
        let svg = draw("acknowledgements", &[("one".into(), points), ("none".into(), Vec::new())]);
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        assert!(svg.contains("1 s") && svg.contains("99.9 %") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
