//! Two cheap looks at an RSA public key before it is trusted: its exponent, and the ROCA fingerprint.

/// Whether a public exponent (big-endian) may be used: odd and at least 3, at most 33 bits.
///
/// An exponent of 1 makes every message its own signature; an even one is no RSA exponent (`pitfalls` A36). Larger ones
/// than 33 bits only cost time: nobody issues them.
pub(crate) fn exponent_is_sound(exponent: &[u8]) -> bool {
    let Some(start) = exponent.iter().position(|&byte| byte != 0) else { return false };
    let significant = &exponent[start..];
    if start != 0 || significant.len() > 5 {
        return false;
    }
    let value = significant.iter().fold(0_u64, |sum, &byte| (sum << 8) | u64::from(byte));
    value >= 3 && value % 2 == 1 && value < (1 << 33)
}

/// Whether a modulus has the form that Infineon's faulty generator gave its primes (ROCA, CVE-2017-15361).
///
/// Such a modulus is a power of 65537 modulo each small prime. A sound modulus passes all of these tests with a
/// probability below 2^-27, so a hit means the key can be factored. Source: Nemec et al., "The Return of
/// Coppersmith's Attack", ACM CCS 2017, §3.3.
pub(crate) fn is_roca_weak(modulus: &[u8]) -> bool {
    const PRIMES: [u32; 38] = [
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107,
        109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    ];
    PRIMES.iter().all(|&prime| {
        let residue = modulus.iter().fold(0, |sum, &byte| (sum * 256 + u32::from(byte)) % prime);
        let mut power = 1;
        for _ in 0..prime {
            if power == residue {
                return true;
            }
            power = power * (65537 % prime) % prime;
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents() {
        assert!(exponent_is_sound(&[1, 0, 1]));
        assert!(exponent_is_sound(&[3]));
        for bad in [&[][..], &[0], &[1], &[2], &[1, 0, 0], &[0, 1, 0, 1], &[2, 0, 0, 0, 1], &[1, 0, 0, 0, 0, 1]] {
            assert!(!exponent_is_sound(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_power_of_65537_is_recognised_and_its_neighbour_is_not() {
        // 65537^2 = 4295098369 fits the fingerprint by construction.
        assert!(is_roca_weak(&4_295_098_369_u64.to_be_bytes()));
        assert!(!is_roca_weak(&4_295_098_371_u64.to_be_bytes()));
    }
}
