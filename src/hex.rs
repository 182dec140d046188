//! Bytes as hexadecimal digits in lower case.

/// Appends the digits of `bytes` to `text`.
pub(crate) fn encode(bytes: &[u8], text: &mut String) {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    for byte in bytes {
        text.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

/// Parses exactly the digits of `N` bytes; `None` for anything else.
pub(crate) fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let mut bytes = [0; N];
    if pairs.len() != N {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

fn digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back() {
        for byte in 0..=u8::MAX {
            let mut text = String::new();
            encode(&[byte, !byte], &mut text);
            assert_eq!(text, format!("{byte:02x}{:02x}", !byte));
            assert_eq!(decode(&text), Some([byte, !byte]));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in ["", "0", "000", "0000", "0A", "0g", "é", " 0", "+1"] {
            assert_eq!(decode::<1>(bad), None, "{bad:?}");
        }
    }
}
