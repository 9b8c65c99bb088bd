# Computes phi.txt with 500 digits: python3 phi.py >phi.txt (mpmath 1.3.0).
# A line "detector" has MinDeviation and the times of the heartbeats. Each line after it
# has the time at which phi is asked, and phi. All times are in ns.
import random
from mpmath import mp, mpf, erfc, log10, sqrt

mp.dps = 500

def phi(least, beats, at):
    n = mpf(len(beats) - 1)
    intervals = [mpf(b - a) for a, b in zip(beats, beats[1:])]
    mean = sum(intervals) / n
    deviation = max(sqrt(sum((x - mean) ** 2 for x in intervals) / n), mpf(least))
    return -log10(erfc((at - beats[-1] - mean) / deviation / sqrt(mpf(2))) / 2)

random.seed(1)
ms = 10**6
for least, mean, spread, count in [(100 * ms, 1000 * ms, 0, 3), (ms, 1000 * ms, 50 * ms, 50), (1, 30000 * ms, 3000 * ms, 200), (10 * ms, 200 * ms, 150 * ms, 20), (1, 1, 0, 5), (100 * ms, 10**17, 10**16, 40)]:
    beats = [10**9]
    for _ in range(count):
        beats.append(beats[-1] + max(0, mean + random.randint(-spread, spread)))
    n = len(beats) - 1
    intervals = [b - a for a, b in zip(beats, beats[1:])]
    m = sum(intervals) // n
    d = max(least, int(sqrt(mpf(sum((x - m) ** 2 for x in intervals)) / n)))
    print("detector", least, *beats)
    for y in [-37, -20, -8, -3, -1, 0, 1, 2, 3, 5, 6, 7, 8, 8.2, 8.3, 9, 12, 20, 28, 28.2, 28.3, 28.4, 37, 38, 38.5, 39, 50, 100, 1000, 10**6]:
        at = beats[-1] + m + int(y * d)
        if 0 <= at < 2**62:
            print(at, mp.nstr(phi(least, beats, at), 25))
