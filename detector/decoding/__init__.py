"""Files to frames, inside a child process: this is where hostile bytes meet a decoder.

Nothing else in the program opens a video. `child` serves requests of `detector.media`, which starts
it, feeds it and watches over it; the other modules are what it does. They need PyAV and NumPy
alone, so that a child starts quickly and has little to lose.
"""
