//! Guards what comes in and authenticates what goes out, for services in any language
