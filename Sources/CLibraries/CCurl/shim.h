#pragma once
#include <curl/curl.h>

// curl's setters and getters are variadic, which Swift does not see: one typed function for each type of argument.

static inline CURLcode curl_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode curl_set_string(CURL *easy, CURLoption option, const char *value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode curl_set_pointer(CURL *easy, CURLoption option, void *value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode curl_set_size(CURL *easy, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}

// For CURLOPT_WRITEFUNCTION and CURLOPT_HEADERFUNCTION, which have the same shape.
typedef size_t (*curl_data_function)(char *data, size_t size, size_t count, void *context);

static inline CURLcode curl_set_data_function(CURL *easy, CURLoption option, curl_data_function function) {
    return curl_easy_setopt(easy, option, function);
}

static inline CURLcode curl_get_long(CURL *easy, CURLINFO info, long *value) {
    return curl_easy_getinfo(easy, info, value);
}

static inline CURLcode curl_get_pointer(CURL *easy, CURLINFO info, void **value) {
    return curl_easy_getinfo(easy, info, value);
}

static inline CURLMcode curl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}

// CURLMsg holds a union; `data.result` is what CURLMSG_DONE fills.
static inline CURLcode curl_message_result(const CURLMsg *message) {
    return message->data.result;
}
