//! Pictures of figures: lines over an axis, as an SVG that is legible on light and dark pages.

mod axis;

use std::fmt::Write;

pub use self::axis::{Axis, Scale, Unit};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 78.0;
const BOTTOM: f64 = 58.0;
/// What is left free on both sides of points that stand for sizes.
const INSET: f64 = 28.0;
/// About as wide as a letter.
const LETTER: f64 = 7.2;
/// Lines that can be told apart.
const COLOURS: usize = 6;
/// Colours follow what the reader's system prefers. There is a ground of its own, because a page may prefer something else.
const STYLE: &str = "\
svg{font-family:system-ui,-apple-system,'Segoe UI',sans-serif;font-size:12px}\
.ground{fill:#fff}.title{fill:#1f2328;font-size:16px;font-weight:600}.text{fill:#59636e}.grid{stroke:#d8dee4}\
.axis{stroke:#8c959f}.line{fill:none;stroke-width:2.25;stroke-linejoin:round}.range{stroke-width:1.25}\
.c0{stroke:#0969da}.c1{stroke:#bc4c00}.c2{stroke:#1a7f37}.c3{stroke:#8250df}.c4{stroke:#bf3989}.c5{stroke:#57606a}\
.d0{fill:#0969da}.d1{fill:#bc4c00}.d2{fill:#1a7f37}.d3{fill:#8250df}.d4{fill:#bf3989}.d5{fill:#57606a}\
@media(prefers-color-scheme:dark){.ground{fill:#0d1117}.title{fill:#f0f6fc}.text{fill:#9198a1}.grid{stroke:#2a313c}\
.axis{stroke:#656c76}\
.c0{stroke:#4493f8}.c1{stroke:#f0883e}.c2{stroke:#3fb950}.c3{stroke:#ab7df8}.c4{stroke:#db61a2}.c5{stroke:#9198a1}\
.d0{fill:#4493f8}.d1{fill:#f0883e}.d2{fill:#3fb950}.d3{fill:#ab7df8}.d4{fill:#db61a2}.d5{fill:#9198a1}}";

/// A picture.
#[derive(Debug)]
pub struct Chart {
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub lines: Vec<Line>,
}

/// A line of it.
#[derive(Debug, Default)]
pub struct Line {
    pub name: String,
    pub points: Vec<Point>,
    /// Whether each point is marked.
    pub is_marked: bool,
}

/// A point, and from where to where it was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub x: f64,
    pub y: f64,
    pub range: Option<(f64, f64)>,
}

impl Chart {
    /// The picture as SVG.
    pub fn svg(&self) -> String {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let values = |point: &Point| {
            [point.y, point.range.map_or(point.y, |range| range.0), point.range.map_or(point.y, |range| range.1)]
        };
        let inset = if matches!(self.x.scale, Scale::Log | Scale::Steps(_)) { INSET } else { 0.0 };
        let xs = self.x.fitted(points().map(|point| point.x), LEFT + inset, WIDTH - RIGHT - inset);
        let ys = self.y.fitted(points().flat_map(values), HEIGHT - BOTTOM, TOP);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{0}\">\n\
             <style>{STYLE}</style>\n<rect class=\"ground\" width=\"100%\" height=\"100%\" rx=\"8\"/>\n\
             <text class=\"title\" x=\"{1}\" y=\"28\">{0}</text>\n",
            escape(&self.title),
            LEFT - 60.0
        );
        let mut put = |text: String| {
            svg.push_str(&text);
            svg.push('\n');
        };
        let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        for (value, name) in ys.ticks() {
            let y = ys.place(value);
            put(format!(r#"<path class="grid" d="M{LEFT} {y:.1}H{right}"/>"#));
            put(text(LEFT - 8.0, y + 4.0, "end", &name));
        }
        for (value, name) in xs.ticks() {
            let x = xs.place(value);
            put(format!(r#"<path class="grid" d="M{x:.1} {TOP}V{bottom}"/>"#));
            put(text(x, bottom + 18.0, "middle", &name));
        }
        put(format!(r#"<path class="axis" d="M{LEFT} {bottom}H{right}"/>"#));
        put(text((LEFT + right) / 2.0, HEIGHT - 14.0, "middle", &self.x.label));
        put(text(LEFT - 60.0, TOP - 14.0, "start", &self.y.label));
        self.put_names(&mut put);
        for (index, line) in self.lines.iter().enumerate() {
            let colour = index % COLOURS;
            let at = |point: &Point| (xs.place(point.x), ys.place(point.y));
            let mut path = String::new();
            for (place, point) in line.points.iter().enumerate() {
                let (x, y) = at(point);
                write!(path, "{}{x:.1} {y:.1}", if place == 0 { 'M' } else { 'L' }).expect("a String takes all");
            }
            for Point { x, range, .. } in &line.points {
                if let Some((low, high)) = range {
                    let (x, low, high) = (xs.place(*x), ys.place(*low), ys.place(*high));
                    let (start, end) = (x - 4.0, x + 4.0);
                    put(format!(
                        r#"<path class="range c{colour}" d="M{start:.1} {low:.1}H{end:.1}M{x:.1} {low:.1}V{high:.1}M{start:.1} {high:.1}H{end:.1}"/>"#
                    ));
                }
            }
            put(format!(r#"<path class="line c{colour}" d="{path}"/>"#));
            for (x, y) in line.points.iter().filter(|_| line.is_marked).map(at) {
                put(format!(r#"<circle class="d{colour}" cx="{x:.1}" cy="{y:.1}" r="3.5"/>"#));
            }
        }
        svg.push_str("</svg>\n");
        svg
    }

    /// The names of the lines if there are several, in a row that ends at the right edge.
    fn put_names(&self, put: &mut impl FnMut(String)) {
        if self.lines.len() < 2 {
            return;
        }
        let width = |line: &Line| 34.0 + LETTER * line.name.chars().count() as f64;
        let mut x = WIDTH - RIGHT - self.lines.iter().map(width).sum::<f64>() + 10.0;
        for (index, line) in self.lines.iter().enumerate() {
            let colour = index % COLOURS;
            let y = TOP - 18.0;
            put(format!(r#"<path class="line c{colour}" d="M{x:.1} {y}h16"/>"#));
            put(text(x + 21.0, y + 4.0, "start", &line.name));
            x += width(line);
        }
    }
}

fn text(x: f64, y: f64, anchor: &str, text: &str) -> String {
    format!(r#"<text class="text" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{}</text>"#, escape(text))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// How latencies are distributed, with the slow end stretched out: points of share and microseconds.
pub fn distribution(title: &str, lines: Vec<(String, Vec<(f64, f64)>)>) -> Chart {
    let lines = lines.into_iter().map(|(name, points)| {
        let points = points.into_iter().filter(|(share, _)| *share < 1.0);
        let points = points.map(|(x, y)| Point { x, y, range: None }).collect();
        Line { name, points, is_marked: false }
    });
    Chart {
        title: title.to_owned(),
        x: Axis { label: "share of all that took at most so long".into(), scale: Scale::Nines, unit: Unit::Share },
        y: Axis { label: "time".into(), scale: Scale::Log, unit: Unit::Micros },
        lines: lines.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every number of a path or circle is within the picture.
    #[track_caller]
    fn check_inside(svg: &str) {
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        for line in svg.lines().filter(|line| line.starts_with("<path class=\"line")) {
            let path = line.split(" d=\"").nth(1).unwrap();
            for pair in path.split(['M', 'L']).filter(|pair| pair.contains(' ') && !pair.contains('h')) {
                let (x, y) = pair.split_once(' ').unwrap();
                let y: f64 = y.trim_end_matches("\"/>").parse().unwrap();
                assert!((LEFT..=WIDTH - RIGHT).contains(&x.parse().unwrap()), "{line}");
                assert!((TOP..=HEIGHT - BOTTOM).contains(&y), "{line}");
            }
        }
    }

    #[test]
    fn distributions_rise_within_the_picture() {
        let points = vec![(0.0, 100.0), (0.5, 200.0), (0.9, 1_000.0), (0.99, 20_000.0), (0.9999, 1_500_000.0)];
        let svg = distribution("a < b", vec![("one".into(), points), ("none".into(), Vec::new())]).svg();
        check_inside(&svg);
        assert!(svg.contains("1 s") && svg.contains("99.9 %") && svg.contains("a &lt; b"), "{svg}");
    }

    #[test]
    fn curves_stay_within_the_picture() {
        for scale in [Scale::Linear, Scale::Log] {
            let point = |x: f64, y| Point { x, y, range: Some((y * 0.5, y * 2.0)) };
            let points = vec![point(100.0, 12.0), point(1_000.0, 9.0), point(100_000.0, 13.0)];
            let chart = Chart {
                title: "members".into(),
                x: Axis { label: "members".into(), scale: Scale::Log, unit: Unit::Count },
                y: Axis { label: "µs".into(), scale, unit: Unit::Count },
                lines: vec![Line { name: "all".into(), points, is_marked: true }],
            };
            let svg = chart.svg();
            check_inside(&svg);
            assert!(svg.contains("100 k") && svg.matches("<circle").count() == 3, "{svg}");
        }
    }
}
