//! The elements of an SVG drawing, put below each other.

use std::fmt::Write as _;

/// The page's colours follow the reader's: a light and a dark set.
const STYLE: &str = "\
text { font: 12px system-ui, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #1f2328 }
.title { font-size: 19px; font-weight: 600 }
.head { font-size: 14px; font-weight: 600 }
.small { font-size: 11px; fill: #59636e }
.page { fill: #ffffff }
.grid { stroke: #d8dee4; stroke-width: 1 }
.band { fill: #f3f5f7 }
.dot { stroke: #ffffff; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.small { fill: #9198a1 }
.page { fill: #0d1117 }
.grid { stroke: #2a313c }
.band { fill: #151b23 }
.dot { stroke: #0d1117 }
}
";

/// Which point of a text lies at the given place.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A drawing that grows downwards: what is put on it lies relative to how far it was skipped.
pub(super) struct Canvas {
    width: f64,
    top: f64,
    elements: String,
}

impl Canvas {
    pub(super) fn new(width: f64) -> Self {
        Canvas { width, top: 0.0, elements: String::new() }
    }

    /// What follows lies that much lower.
    pub(super) fn skip(&mut self, height: f64) {
        self.top += height;
    }

    pub(super) fn text(&mut self, x: f64, y: f64, anchor: Anchor, class: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let y = self.top + y;
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        let text = escaped(text);
        let _ =
            writeln!(self.elements, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\"{class}>{text}</text>");
    }

    pub(super) fn rectangle(&mut self, x: f64, y: f64, width: f64, height: f64, color: &str) {
        let y = self.top + y;
        let _ = writeln!(
            self.elements,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"1.5\" fill=\"{color}\"/>"
        );
    }

    /// What sets a row off from the next.
    pub(super) fn band(&mut self, x: f64, y: f64, width: f64, height: f64) {
        let y = self.top + y;
        let _ = writeln!(
            self.elements,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" class=\"band\"/>"
        );
    }

    pub(super) fn line(&mut self, x: f64, y: f64, to_x: f64, to_y: f64, class: &str) {
        let (y, to_y) = (self.top + y, self.top + to_y);
        let _ = writeln!(
            self.elements,
            "<line x1=\"{x:.1}\" y1=\"{y:.1}\" x2=\"{to_x:.1}\" y2=\"{to_y:.1}\" class=\"{class}\"/>"
        );
    }

    pub(super) fn dot(&mut self, x: f64, y: f64, radius: f64, color: &str) {
        let y = self.top + y;
        let _ = writeln!(
            self.elements,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\" class=\"dot\" fill=\"{color}\"/>"
        );
    }

    /// The drawing as a file, on a page of its own colour so that it is readable wherever it is put.
    pub(super) fn finish(self, title: &str) -> String {
        let Canvas { width, top: height, elements } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} \
             {height}\" role=\"img\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n<rect class=\"page\" width=\"100%\" \
             height=\"100%\"/>\n{elements}</svg>\n",
            escaped(title)
        )
    }
}

/// About how wide a text is: rather more, since fonts differ.
pub(super) fn width_of(text: &str) -> f64 {
    crate::float(text.chars().count() as u64) * 7.1
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
