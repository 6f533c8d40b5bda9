//! What is in the picture: a spiral of spheres on a chequered floor under an
//! evening sky. Only additions, products, quotients and square roots: these are
//! the same on every machine, to the last bit.

use crate::vector::Vector;

#[derive(Debug, Clone, Copy)]
pub struct Sphere {
    pub centre: Vector,
    pub radius: f64,
    pub colour: Vector,
    /// The part of the light that it mirrors.
    pub mirror: f64,
}

#[derive(Debug)]
pub struct Scene {
    pub spheres: Vec<Sphere>,
    /// Towards the light.
    pub light: Vector,
    pub eye: Vector,
}

/// What the floor is of: its two colours, and how much it mirrors.
pub const FLOOR: [Vector; 2] = [Vector(0.86, 0.84, 0.80), Vector(0.22, 0.26, 0.33)];
pub const FLOOR_MIRROR: f64 = 0.18;

const COLOURS: [Vector; 5] = [
    Vector(0.91, 0.30, 0.24),
    Vector(0.95, 0.61, 0.07),
    Vector(0.18, 0.55, 0.34),
    Vector(0.16, 0.50, 0.73),
    Vector(0.56, 0.27, 0.68),
];
const TURNS: usize = 60;

impl Scene {
    pub fn new() -> Self {
        let mut spheres = vec![Sphere {
            centre: Vector(0.0, 1.5, 0.0),
            radius: 1.5,
            colour: Vector(0.95, 0.95, 0.97),
            mirror: 0.75,
        }];
        // Each sphere is the last one's place, turned by a fixed angle and a
        // little further out; 3-4-5 and its kin give exact turns.
        let (cos, sin) = (0.752_808_988_764_044_9, 0.658_245_939_133_258_3);
        let (mut x, mut z) = (2.3, 0.0);
        for turn in 0..TURNS {
            let radius = 0.22 + 0.004 * turn as f64;
            spheres.push(Sphere {
                centre: Vector(x, radius, z),
                radius,
                colour: COLOURS[turn % COLOURS.len()],
                mirror: if turn % 4 == 0 { 0.4 } else { 0.12 },
            });
            let growth = 1.0 + 0.055 / (1.0 + 0.05 * turn as f64);
            (x, z) = ((x * cos - z * sin) * growth, (x * sin + z * cos) * growth);
        }
        Self {
            spheres,
            light: Vector(-0.62, 0.50, 0.38).unit(),
            eye: Vector(-1.6, 3.9, -8.6),
        }
    }

    /// The colour of the sky in a direction.
    pub fn sky(&self, direction: Vector) -> Vector {
        let height = direction.1.max(0.0);
        let near = Vector(0.99, 0.83, 0.65);
        let far = Vector(0.25, 0.43, 0.72);
        let glow = direction.dot(self.light).max(0.0);
        // The sixteenth power, by squaring.
        let glow = (0..4).fold(glow, |glow, _| glow * glow);
        near * (1.0 - height) + far * height + Vector(1.0, 0.9, 0.7) * (0.6 * glow)
    }
}
