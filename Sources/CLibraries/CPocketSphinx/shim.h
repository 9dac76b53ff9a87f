#pragma once
#include <pocketsphinx.h>

// cmd_ln_init is variadic, which Swift cannot call. `lm` may be NULL: then a search is set later.
static inline cmd_ln_t *parley_ps_config(const char *hmm, const char *lm, const char *dict) {
    if (lm) {
        return cmd_ln_init(NULL, ps_args(), TRUE, "-hmm", hmm, "-lm", lm, "-dict", dict, "-logfn", "/dev/null", NULL);
    }
    return cmd_ln_init(NULL, ps_args(), TRUE, "-hmm", hmm, "-dict", dict, "-logfn", "/dev/null", NULL);
}
