// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.27;

/// Decimals of 18 places: products and quotients cut off towards zero, and whatever leaves 256 bits reverts.
library Decimal {
    uint256 internal constant ONE = 1e18;
    int256 private constant SIGNED_ONE = 1e18;

    function mul(uint256 a, uint256 b) internal pure returns (uint256) {
        return (a * b) / ONE;
    }

    function div(uint256 a, uint256 b) internal pure returns (uint256) {
        return (a * ONE) / b;
    }

    function mul(int256 a, int256 b) internal pure returns (int256) {
        return (a * b) / SIGNED_ONE;
    }

    function div(int256 a, int256 b) internal pure returns (int256) {
        return (a * SIGNED_ONE) / b;
    }

    function magnitude(int256 a) internal pure returns (uint256) {
        return a < 0 ? uint256(-a) : uint256(a);
    }

    function toSigned(uint256 a) internal pure returns (int256) {
        require(a <= uint256(type(int256).max), "SafeCast: wider than a signed word");
        return int256(a);
    }

    function toUnsigned(int256 a) internal pure returns (uint256) {
        require(a >= 0, "SafeCast: below zero");
        return uint256(a);
    }
}

/// Root, exponential, logarithm and the normal distribution of 18 decimals, to the last digit as the exchange has them:
/// rational approximations in 96 and 64 binary places.
library Transcendental {
    error ExpOverflow();

    int256 private constant BINARY_ONE = 1 << 96;
    int256 private constant LN_2 = 54916777467707473351141471128;
    uint256 private constant FIVE_TO_18 = 3814697265625;
    /// 7.07 in 64 binary places: beyond it the tail is a continued fraction.
    uint256 private constant TAIL_START = 130438178253327725388;
    uint256 private constant SQRT_TWO_PI = 46239130270042206915;
    /// 13/20 in 64 binary places: where that fraction is cut off.
    uint256 private constant FRACTION_END = 11990383647911208550;

    /// Rounded down.
    function sqrt(uint256 x) internal pure returns (uint256 root) {
        uint256 square = x * Decimal.ONE;
        if (square == 0) return 0;
        uint256 next = 1;
        for (uint256 rest = square; rest > 0; rest >>= 2) next <<= 1;
        do {
            root = next;
            next = (root + square / root) >> 1;
        } while (next < root);
    }

    function exp(int256 x) internal pure returns (uint256) {
        if (x <= -42139678854452767551) return 0;
        if (x >= 135305999368893231589) revert ExpOverflow();
        unchecked {
            int256 binary = (x << 78) / int256(FIVE_TO_18);
            int256 doublings = ((binary << 96) / LN_2 + (1 << 95)) >> 96;
            binary -= doublings * LN_2;
            int256[4] memory over = [
                int256(2772001395605857295435445496992),
                44335888930127919016834873520032,
                398888492587501845352592340339721,
                1993839819670624470859228494792842
            ];
            int256 numerator = binary + over[0];
            for (uint256 i = 1; i < over.length; i++) numerator = _times(numerator, binary) + over[i];
            numerator = numerator * binary + 4385272521454847904632057985693276 * BINARY_ONE;
            uint256 ratio = uint256(numerator / _expDenominator(binary));
            return (ratio * 3822833074963236453042738258902158003155416615667) >> uint256(195 - doublings);
        }
    }

    /// Of what is above zero.
    function ln(uint256 x) internal pure returns (int256) {
        unchecked {
            uint256 top = 0;
            for (uint256 rest = x >> 1; rest > 0; rest >>= 1) top++;
            int256 z = int256((x << (255 - top)) >> 159);
            int256[6] memory over = [
                int256(3273285459638523848632254066296),
                24828157081833163892658089445524,
                43456485725739037958740375743393,
                -11111509109440967052023855526967,
                -45023709667254063763336534515857,
                -14706773417378608786704636184526
            ];
            int256 numerator = z + over[0];
            for (uint256 i = 1; i < over.length; i++) numerator = _times(numerator, z) + over[i];
            numerator = numerator * z - 795164235651350426258249787498 * BINARY_ONE;
            int256 sum = (numerator / _lnDenominator(z)) * 1677202110996718588342820967067443963516166;
            sum += 16597577552685614221487285958193947469193820559219878177908093499208371 * (int256(top) - 96);
            return (sum + 600920179829731861736702779321621459595472258049074101567377883020018308) >> 174;
        }
    }

    /// Probability of at most `x`.
    function cdf(int256 x) internal pure returns (uint256) {
        uint256 away = Decimal.magnitude(x);
        uint256 tail = away > 37e18 ? 0 : _tail(away);
        return x > 0 ? Decimal.ONE - tail : tail;
    }

    function _tail(uint256 away) private pure returns (uint256) {
        unchecked {
            uint256 density = _binary(exp(-int256(((away >> 1) * away) / Decimal.ONE)));
            uint256 z = _binary(away);
            if (z < TAIL_START) return _decimal((_tailNumerator(z) * density) / _tailDenominator(z));
            uint256 fraction = FRACTION_END;
            for (uint256 n = 4; n > 0; n--) fraction = (n << 128) / (z + fraction);
            return _decimal((density << 64) / (((fraction + z) * SQRT_TWO_PI) >> 64));
        }
    }

    function _times(int256 a, int256 b) private pure returns (int256) {
        unchecked {
            return (a * b) >> 96;
        }
    }

    function _binary(uint256 decimal) private pure returns (uint256) {
        return (decimal << 46) / FIVE_TO_18;
    }

    function _decimal(uint256 binary) private pure returns (uint256) {
        return (binary * FIVE_TO_18) >> 46;
    }

    /// Of sixth degree with two multiplications fewer.
    function _expDenominator(int256 x) private pure returns (int256) {
        unchecked {
            int256 z = _times(x + 750530180792738023273180420736, x) + 32788456221302202726307501949080;
            int256 w = _times(x - 2218138959503481824038194425854, z) + 892943633302991980437332862907700;
            return _times(z + w - 78174809823045304726920794422040, w) + 4203224763890128580604056984195872;
        }
    }

    function _lnDenominator(int256 z) private pure returns (int256 sum) {
        int256[7] memory under = [
            int256(5573035233440673466300451813936),
            71694874799317883764090561454958,
            283447036172924575727196451306956,
            401686690394027663651624208769553,
            204048457590392012362485061816622,
            31853899698501571402653359427138,
            909429971244387300277376558375
        ];
        unchecked {
            sum = z + under[0];
            for (uint256 i = 1; i < under.length; i++) sum = _times(sum, z) + under[i];
        }
    }

    function _tailNumerator(uint256 z) private pure returns (uint256 sum) {
        uint256[7] memory over = [
            uint256(650478250178244362),
            12919787143353136591,
            117578849504046139487,
            625581961353917287603,
            2067498006223917203771,
            4080670594171652639712,
            4062099735652764000328
        ];
        for (uint256 i = 0; i < over.length; i++) sum = ((sum * z) >> 64) + over[i];
    }

    function _tailDenominator(uint256 z) private pure returns (uint256 sum) {
        uint256[8] memory under = [
            uint256(1630477228166597028),
            32386342837845824709,
            296331772558254578451,
            1600821957476871612085,
            5470644798650576484341,
            11756730424506726822413,
            14643514515380871948050,
            8124199471305528000657
        ];
        for (uint256 i = 0; i < under.length; i++) sum = ((sum * z) >> 64) + under[i];
    }
}

/// Options on a forward, undiscounted, 18 decimals.
library Black76 {
    uint256 private constant YEAR = 365 days;
    /// From this total volatility on a call is worth its forward.
    uint256 private constant TOTAL_VOL_MAX = 24e18;

    struct Input {
        uint256 secondsLeft;
        uint256 vol;
        uint256 forward;
        uint256 strike;
    }

    function prices(Input memory input) internal pure returns (uint256 call, uint256 put) {
        if (input.strike == 0) return (input.forward, 0);
        if (input.forward == 0) return (0, input.strike);
        uint256 root = Transcendental.sqrt((input.secondsLeft * Decimal.ONE) / YEAR);
        uint256 moneyness = Decimal.div(input.strike, input.forward);
        uint256 share = _share(moneyness, Decimal.mul(input.vol, root));
        call = _least(Decimal.mul(share, input.forward), input.forward);
        share += moneyness;
        share = share > Decimal.ONE ? share - Decimal.ONE : 0;
        put = _least(Decimal.mul(share, input.forward), input.strike);
    }

    /// What a call is worth of its forward.
    function _share(uint256 moneyness, uint256 totalVol) private pure returns (uint256) {
        if (totalVol >= TOTAL_VOL_MAX) return Decimal.ONE;
        if (totalVol == 0) totalVol = 1;
        if (moneyness == 0) moneyness = 1;
        int256 vol = int256(totalVol);
        // Halved before it is squared: the last bit of an odd volatility is lost.
        int256 halfVariance = int256(Decimal.mul(totalVol >> 1, totalVol));
        int256 d1 = Decimal.div(halfVariance - Transcendental.ln(moneyness), vol);
        uint256 delta = Transcendental.cdf(d1);
        uint256 strikeLeg = Decimal.mul(moneyness, Transcendental.cdf(d1 - vol));
        return delta > strikeLeg ? delta - strikeLeg : 0;
    }

    function _least(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }
}
