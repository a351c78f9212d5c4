//! Figures as an SVG drawing that is readable on light and on dark pages.

mod axis;
mod canvas;

use crate::figures::{Chart, Figures, Row, Table};
use crate::float;
use axis::Axis;
use canvas::{Anchor, Canvas, width_of};

const WIDTH: f64 = 880.0;
const MARGIN: f64 = 20.0;
/// Room beside the longest bar for its figure.
const FIGURE: f64 = 64.0;
const BAR: f64 = 13.0;
/// How far the dots of a row lie below each other, so that none hides another.
const LANE: f64 = 7.0;

/// All tables of `figures` that are to be drawn, one below the other.
#[must_use]
pub fn draw(figures: &Figures) -> String {
    let mut canvas = Canvas::new(WIDTH);
    canvas.skip(34.0);
    canvas.text(MARGIN, 0.0, Anchor::Start, "title", &figures.bench);
    canvas.skip(20.0);
    canvas.text(MARGIN, 0.0, Anchor::Start, "small", &figures.machine);
    let mut legend: &[String] = &[];
    for table in &figures.tables {
        if table.chart == Chart::None || table.rows.is_empty() {
            continue;
        }
        // Once for all tables of the same contenders, and not where each bar has its name beside it.
        if legend != table.columns && !names_bars(table) {
            legend = &table.columns;
            draw_legend(&mut canvas, legend);
        }
        canvas.skip(36.0);
        canvas.text(MARGIN, 0.0, Anchor::Start, "head", &table.title);
        let after = MARGIN + width_of(&table.title) * 1.3 + 14.0;
        canvas.text(after, 0.0, Anchor::Start, "small", &table.legend());
        canvas.skip(14.0);
        match table.chart {
            Chart::Bars => bars(&mut canvas, table),
            _ => dots(&mut canvas, table),
        }
    }
    canvas.skip(24.0);
    canvas.finish(&figures.bench)
}

fn draw_legend(canvas: &mut Canvas, names: &[String]) {
    canvas.skip(30.0);
    let mut x = MARGIN;
    for name in names {
        let width = width_of(name) + 34.0;
        if x + width > WIDTH {
            canvas.skip(20.0);
            x = MARGIN;
        }
        canvas.rectangle(x, -10.0, 12.0, 12.0, &color(names, name));
        canvas.text(x + 18.0, 0.0, Anchor::Start, "", name);
        x += width;
    }
}

/// Whether the bars of a table are named themselves: those of a single row.
fn names_bars(table: &Table) -> bool {
    table.chart == Chart::Bars && table.rows.len() == 1
}

/// A bar for each figure, in groups by row.
fn bars(canvas: &mut Canvas, table: &Table) {
    let left = label_width(table);
    let highest = values(table).fold(0.0, f64::max);
    let axis = Axis::new(0.0, highest, left, WIDTH - MARGIN - FIGURE);
    let height_of = |row: &Row| float(row.values.iter().flatten().count() as u64) * BAR + 12.0;
    grid(canvas, &axis, table.rows.iter().map(height_of).sum());
    for row in &table.rows {
        let mut y = 6.0;
        if !names_bars(table) {
            canvas.text(left - 10.0, height_of(row) / 2.0 + 4.0, Anchor::End, "", &row.name);
        }
        for (name, value) in table.columns.iter().zip(&row.values) {
            let Some(value) = value else { continue };
            if names_bars(table) {
                canvas.text(left - 10.0, y + 9.5, Anchor::End, "", name);
            }
            let end = axis.at(*value);
            canvas.rectangle(left, y, (end - left).max(1.0), BAR - 2.0, &color(&table.columns, name));
            let shown = format!("{value:.*}", table.decimals);
            canvas.text(end + 5.0, y + 9.5, Anchor::Start, "small", &shown);
            y += BAR;
        }
        canvas.skip(height_of(row));
    }
    canvas.skip(16.0);
}

/// A band for each row, with a dot for each figure.
fn dots(canvas: &mut Canvas, table: &Table) {
    let left = label_width(table);
    let (lowest, highest) = values(table).fold((f64::MAX, 0.0), |(low, high), value| (value.min(low), value.max(high)));
    // From zero, unless that would press all dots into one half.
    let from = if lowest * 2.0 > highest { lowest } else { 0.0 };
    let axis = Axis::new(from, highest, left, WIDTH - MARGIN - 10.0);
    let height = float(table.columns.len() as u64 + 1) * LANE;
    for at in (0..table.rows.len()).step_by(2) {
        canvas.band(MARGIN, float(at as u64) * height, WIDTH - 2.0 * MARGIN, height);
    }
    grid(canvas, &axis, height * float(table.rows.len() as u64));
    for row in &table.rows {
        canvas.text(left - 14.0, height / 2.0 + 4.0, Anchor::End, "", &row.name);
        for (lane, (name, value)) in table.columns.iter().zip(&row.values).enumerate() {
            if let Some(value) = value {
                canvas.dot(axis.at(*value), float(lane as u64 + 1) * LANE, 4.0, &color(&table.columns, name));
            }
        }
        canvas.skip(height);
    }
    canvas.skip(16.0);
}

fn grid(canvas: &mut Canvas, axis: &Axis, height: f64) {
    for mark in axis.marks() {
        let x = axis.at(mark);
        canvas.line(x, 0.0, x, height, "grid");
        canvas.text(x, height + 14.0, Anchor::Middle, "small", &axis.label(mark));
    }
}

fn values(table: &Table) -> impl Iterator<Item = f64> {
    table.rows.iter().flat_map(|row| row.values.iter().flatten().copied())
}

fn label_width(table: &Table) -> f64 {
    let rows = table.rows.iter().map(|row| &row.name);
    let names = if names_bars(table) { table.columns.iter().collect() } else { rows.collect::<Vec<_>>() };
    MARGIN + names.into_iter().map(|name| width_of(name)).fold(0.0, f64::max) + 14.0
}

/// A contender's colour: the same in all drawings, and forms of one contender in shades of one colour. They stand out on
/// white and on black.
fn color(names: &[String], name: &str) -> String {
    const FAMILIES: [(&str, u16, u16); 10] = [
        ("memokit", 18, 88),
        ("quick_cache", 212, 75),
        ("moka", 150, 55),
        ("cached", 275, 50),
        ("lru", 0, 0),
        ("scc", 185, 60),
        ("papaya", 330, 55),
        // Forms of memokit, where there is nothing else.
        ("with", 18, 88),
        ("timeout", 212, 75),
        ("tags", 150, 55),
    ];
    let family = |name: &str| FAMILIES.iter().find(|(family, ..)| name.starts_with(family)).copied();
    let (prefix, hue, saturation) = family(name).unwrap_or(("", 50, 60));
    let mut kin = names.iter().filter(|known| family(known).map_or("", |(prefix, ..)| prefix) == prefix);
    let shade = kin.position(|known| known == name).unwrap_or(0);
    format!("hsl({hue}, {saturation}%, {}%)", 52 + 14 * shade.min(2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Better;

    #[test]
    fn a_drawing_has_each_figure_and_each_name_escaped() {
        let mut figures = Figures::new("sample", "", &[]);
        let mut table = Table::new("a < b", "ns", Better::Less, "keys", &["memokit", "moka"]).drawn(Chart::Bars);
        table.push("(&str, u64)", [12.5, 250.0]);
        table.push("u64", [10.0, 200.0]);
        figures.tables.push(table);
        let svg = draw(&figures);
        for text in ["a &lt; b", "(&amp;str, u64)", ">12.5<", ">250.0<", ">moka<", "prefers-color-scheme: dark"] {
            assert!(svg.contains(text), "{text} in {svg}");
        }
    }

    #[test]
    fn forms_of_a_contender_are_shades_of_one_colour() {
        let names = ["memokit", "memokit, capacity", "moka"].map(str::to_owned);
        let [one, other, third] = ["memokit", "memokit, capacity", "moka"].map(|name| color(&names, name));
        assert!(one != other && one[..6] == other[..6] && one[..6] != third[..6], "{one} {other} {third}");
    }
}
