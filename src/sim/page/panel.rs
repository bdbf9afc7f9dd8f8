//! One picture: axes, a title with the unit, and marks, drawn as SVG.

use super::axis::Axis;
use super::ink::Ink;
use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::element::{Circle, PathElement, Rectangle, Text};
use plotters::prelude::{Cartesian2d, Color, DashedLineSeries, DrawingArea, IntoDrawingArea, SVGBackend, ShapeStyle};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{IntoFont, TextStyle};

/// Units of the drawing per pixel: the library places marks on whole units, which alone would be too coarse.
const FINE: u32 = 4;
/// The library shrinks fonts by this for SVG.
const FONT_SHRINK: f64 = 1.24;
/// Size of words, pixels.
const FONT_PX: u32 = 12;
/// Room for one character of a label, pixels.
const CHAR_PX: u32 = 7;

/// Something drawn over the axes; places are in the axes' numbers, sizes in pixels.
#[derive(Clone, Debug, PartialEq)]
pub enum Mark {
    /// A line through points.
    Line {
        /// Points in order.
        points: Vec<(f64, f64)>,
        /// Colour.
        ink: Ink,
        /// Width, pixels.
        width_px: f64,
    },
    /// A straight dashed line.
    Dashes {
        /// Where it begins and ends.
        ends: [(f64, f64); 2],
        /// Colour.
        ink: Ink,
    },
    /// A disc, or a ring.
    Dot {
        /// Its middle.
        at: (f64, f64),
        /// Radius, pixels.
        radius_px: f64,
        /// Colour.
        ink: Ink,
        /// A disc rather than a ring.
        full: bool,
    },
    /// A filled rectangle.
    Area {
        /// Opposite corners.
        corners: [(f64, f64); 2],
        /// Colour.
        ink: Ink,
        /// Opacity, from 0 to 1.
        opacity: f64,
    },
}

impl Mark {
    /// Every place the mark touches.
    pub fn places(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let places: &[(f64, f64)] = match self {
            Mark::Line { points, .. } => points,
            Mark::Dashes { ends, .. } => ends,
            Mark::Dot { at, .. } => std::slice::from_ref(at),
            Mark::Area { corners, .. } => corners,
        };
        places.iter().copied()
    }
}

/// A picture to draw.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// What the vertical axis measures, with its unit.
    pub title: String,
    /// What the horizontal axis measures; empty where dates say it.
    pub below: &'static str,
    /// Width and height, pixels.
    pub size_px: (u32, u32),
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// What is drawn, later over earlier.
    pub marks: Vec<Mark>,
}

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Axis, Axis>>;
/// What the library may say; a drawing in memory has no way to fail, but the type does not know.
type Drawn = Result<(), Box<dyn std::error::Error>>;

impl Panel {
    /// The picture as an `svg` element, `alt` being what it shows in words.
    pub fn svg(&self, alt: &str) -> String {
        let mut svg = String::new();
        match self.draw(&mut svg) {
            Ok(()) => self.framed(&svg, alt),
            Err(why) => format!("<p class=\"note\">Not drawn: {}</p>", super::escape(&why.to_string())),
        }
    }

    /// Replaces the library's opening tag: inline SVG needs no namespace, and the page decides the width.
    fn framed(&self, svg: &str, alt: &str) -> String {
        let inner = svg.split_once('>').map_or("", |(_, inner)| inner);
        let (width, height) = self.size_px;
        format!(
            "<svg viewBox=\"0 0 {} {}\" width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"{}\">{inner}",
            width * FINE,
            height * FINE,
            super::escape(alt)
        )
    }

    fn draw(&self, svg: &mut String) -> Drawn {
        let (width, height) = self.size_px;
        let root = SVGBackend::with_string(svg, (width * FINE, height * FINE)).into_drawing_area();
        let labels = self.y.label_chars() as u32 * CHAR_PX + 14;
        // Pictures over dates stand under each other: the same room on both sides, wide enough for half a date.
        let (left, right, below) = if self.below.is_empty() { (72, 40, 24) } else { (0, 16, 40) };
        let mut chart = ChartBuilder::on(&root)
            .margin_top((FONT_PX + 16) * FINE)
            .margin_right(right * FINE)
            .x_label_area_size(below * FINE)
            .y_label_area_size(labels.clamp(left, width / 2) * FINE)
            .build_cartesian_2d(self.x.clone(), self.y.clone())?;
        self.draw_axes(&root, &mut chart)?;
        self.marks.iter().try_for_each(|mark| draw_mark(&mut chart, mark))?;
        root.present()?;
        Ok(())
    }

    fn draw_axes<'b>(&self, root: &DrawingArea<SVGBackend<'b>, Shift>, chart: &mut Chart<'_, 'b>) -> Drawn {
        let words = words(HPos::Left, VPos::Top);
        chart
            .configure_mesh()
            .max_light_lines(0)
            .bold_line_style(ShapeStyle::from(Ink::Grid.rgb()).stroke_width(FINE))
            .axis_style(ShapeStyle::from(Ink::Rule.rgb()).stroke_width(FINE))
            .set_all_tick_mark_size(4 * FINE)
            .label_style(words.clone())
            .draw()?;
        root.draw(&Text::new(self.title.as_str(), (2 * FINE as i32, 4 * FINE as i32), words))?;
        let (width, height) = self.size_px;
        if !self.below.is_empty() {
            let corner = ((width - 16) as i32 * FINE as i32, (height - 2) as i32 * FINE as i32);
            root.draw(&Text::new(self.below, corner, self::words(HPos::Right, VPos::Bottom)))?;
        }
        Ok(())
    }
}

fn words(h_pos: HPos, v_pos: VPos) -> TextStyle<'static> {
    let font = ("sans-serif", f64::from(FONT_PX * FINE) * FONT_SHRINK).into_font();
    font.color(&Ink::Label.rgb()).pos(Pos::new(h_pos, v_pos))
}

/// Pixels as whole units of the drawing.
fn units(px: f64) -> u32 {
    (px * f64::from(FINE)).round().max(1.0) as u32
}

fn draw_mark(chart: &mut Chart<'_, '_>, mark: &Mark) -> Drawn {
    match mark {
        Mark::Line { points, ink, width_px } => {
            let style = ShapeStyle::from(ink.rgb()).stroke_width(units(*width_px));
            chart.draw_series([PathElement::new(points.clone(), style)])?;
        }
        Mark::Dashes { ends, ink } => {
            let style = ShapeStyle::from(ink.rgb()).stroke_width(units(1.25));
            chart.draw_series(DashedLineSeries::new(*ends, 6 * FINE, 4 * FINE, style))?;
        }
        Mark::Dot { at, radius_px, ink, full } => {
            let style = ShapeStyle { color: ink.rgb().to_rgba(), filled: *full, stroke_width: units(1.5) };
            chart.draw_series([Circle::new(*at, units(*radius_px), style)])?;
        }
        Mark::Area { corners, ink, opacity } => {
            chart.draw_series([Rectangle::new(*corners, ink.rgb().mix(*opacity).filled())])?;
        }
    }
    Ok(())
}
