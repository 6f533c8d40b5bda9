//! One tile of the picture.

use crate::scene::Scene;
use crate::trace::colour;
use crate::vector::Vector;

/// Pixels of a side at most, so that a wrong argument ends soon.
const SIZE_MAX: u32 = 16_384;

#[derive(Debug, Clone, Copy)]
pub struct Tile {
    /// Its number, row by row from the top left.
    pub index: u32,
    /// Tiles of a row, and of a column.
    pub grid: u32,
    /// Pixels of a side of the whole.
    pub size: u32,
    /// Rays of a pixel.
    pub samples: u32,
}

impl Default for Tile {
    fn default() -> Self {
        Self {
            index: 0,
            grid: 16,
            size: 1024,
            samples: 16,
        }
    }
}

impl Tile {
    /// The tile as a binary PPM; a comment in it says where it belongs.
    pub fn render(&self) -> Result<Vec<u8>, String> {
        self.check()?;
        let side = self.size / self.grid;
        let (left, top) = (self.index % self.grid * side, self.index / self.grid * side);
        let head = format!(
            "P6\n# at {left} {top} of {0} {0}\n{side} {side}\n255\n",
            self.size
        );
        let mut ppm = head.into_bytes();
        let scene = Scene::new();
        for y in top..top + side {
            for x in left..left + side {
                ppm.extend(self.pixel(&scene, x, y));
            }
        }
        Ok(ppm)
    }

    fn check(&self) -> Result<(), String> {
        if self.grid == 0 || self.samples == 0 || self.size == 0 || self.size > SIZE_MAX {
            return Err(format!(
                "grid, size and samples must be 1 or more, size {SIZE_MAX} at most"
            ));
        }
        if !self.size.is_multiple_of(self.grid) {
            return Err(format!(
                "{} pixels don't make {} equal tiles",
                self.size, self.grid
            ));
        }
        let tiles = self.grid * self.grid;
        if self.index >= tiles {
            return Err(format!(
                "there is no tile {}: they are 0 to {}",
                self.index,
                tiles - 1
            ));
        }
        Ok(())
    }

    fn pixel(&self, scene: &Scene, x: u32, y: u32) -> [u8; 3] {
        // A random number's start is the pixel's own: tiles don't matter to it.
        let mut random = Random(u64::from(y) << 32 | u64::from(x));
        let mut sum = Vector(0.0, 0.0, 0.0);
        let scale = 2.0 / f64::from(self.size);
        for _ in 0..self.samples {
            let across = (f64::from(x) + random.next()) * scale - 1.0;
            let up = 1.0 - (f64::from(y) + random.next()) * scale;
            let direction = look(scene.eye, across * 0.62, up * 0.62);
            sum = sum + colour(scene, scene.eye, direction);
        }
        let mean = sum * (1.0 / f64::from(self.samples));
        // The square root stands in for the screen's gamma.
        [mean.0, mean.1, mean.2].map(|part| (part.clamp(0.0, 1.0).sqrt() * 255.0 + 0.5) as u8)
    }
}

/// The direction of a ray through the picture, `across` and `up` from its middle.
fn look(eye: Vector, across: f64, up: f64) -> Vector {
    let ahead = (Vector(0.0, 1.0, 0.0) - eye).unit();
    let right = Vector(ahead.2, 0.0, -ahead.0).unit();
    let above = Vector(
        ahead.1 * right.2 - ahead.2 * right.1,
        ahead.2 * right.0 - ahead.0 * right.2,
        ahead.0 * right.1 - ahead.1 * right.0,
    );
    (ahead + right * across + above * up).unit()
}

/// SplitMix64 (G. Steele, D. Lea, C. Flood, 2014): small, good enough for
/// where in a pixel a ray goes through.
struct Random(u64);

impl Random {
    /// From 0 up to, not including, 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
