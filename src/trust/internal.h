/* internal.h -- for the tests of this room: a clock that can be set. */
#pragma once

#include "trust/guesses.h"

void guesses_set_clock(Guesses *guesses, Usec (*now)(void));
