/* hello.h: the two messages of helloworld.proto, and gRPC's five bytes before each message.
 *
 *     message HelloRequest { string name = 1; }
 *     message HelloReply   { string message = 1; }
 *
 * Both are one string with the number 1, so one pair of functions serves both.
 */
#ifndef GW_PROGRAM_HELLO_H
#define GW_PROGRAM_HELLO_H

#include <gw/env.h>

enum { HELLO_PREFIX = 5, HELLO_MESSAGE_MAX = 1024 };

/* The message with its prefix: into at least HELLO_MESSAGE_MAX bytes. Returns the length; 0: text
 * is too long. */
size_t hello_write(unsigned char *out, gw_str text);
/* A message without its prefix. False: not a protobuf message. out views bytes; empty if the field
 * is not there. Fields it does not know are passed over, as protobuf demands. */
bool hello_read(const unsigned char *bytes, size_t len, gw_str *out);

/* Finds messages in a stream that may be cut anywhere. */
struct hello_reader {
    size_t prefix_len, message_len;
    uint32_t wanted; /* of the message, once the prefix is whole */
    bool is_compressed, is_too_long;
    unsigned char prefix[HELLO_PREFIX];
    unsigned char message[HELLO_MESSAGE_MAX];
};
/* Takes bytes up to the end of one message; returns how many. True in is_whole: message and
 * message_len are one; hello_reader_next goes on to the next. */
size_t hello_reader_take(struct hello_reader *reader, const unsigned char *bytes, size_t len,
                         bool *is_whole);
void hello_reader_next(struct hello_reader *reader);
/* Between two messages: the stream may end here. */
bool hello_reader_is_between(const struct hello_reader *reader);

#endif
